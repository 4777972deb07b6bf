"""What names and values become, by example."""

from __future__ import annotations

from importlib.resources import files

import pytest
import yaml

from app.matching import values
from app.matching.addresses import address
from app.matching.countries import country
from app.matching.data import lines_of
from app.matching.dates import date
from app.matching.layout import slots_of
from app.matching.organisations import names_in, organisation_name
from app.matching.pairing import pair_fields
from app.matching.people import nicknames, person_name
from app.matching.roles import infer_roles
from app.matching.schema import FieldSpec, MatchSchema, Role


@pytest.mark.parametrize(
    ("text", "tokens", "legal"),
    [
        ("Acme Widgets, Inc.", "acme widgets", "stock"),
        ("L'Oréal S.A.", "loreal", "stock"),
        ("Müller & Söhne GmbH & Co. KG", "muller and sohne", "partnership"),
        ("PT Astra International Tbk", "astra international", "stock"),
        ("Газпром ПАО", "gazprom", "stock"),
        ("GOYERKĀTA PRIVATE LIMITED", "goyerkata", "limited"),
        ("Acme Sp. z o.o.", "acme", "limited"),
        ("The I.B.M. Corp.", "ibm", "stock"),
        ("Boeing Company (The)", "boeing", "company"),
        ("MongoDB, Inc. Cl.A", "mongodb", "stock"),
        ("The", "the", ""),
        ("Reia II S.C.S.", "reia 2", "partnership"),
        ("Universidade de São Paulo", "university of sao paulo", ""),
        ("東京大学", "tokyo university", ""),
        ("Shanghai Jiao Tong University", "shanghai transport university", ""),
        ("上海交通大学", "shanghai transport university", ""),
        ("Sparkasse Köln", "savings bank cologne", ""),
        ("Pivovary Staropramen s.r.o.", "brewery staropramen", "limited"),
        ("Instituto de Genómica, veřejná výzkumná instituce", "institute of genomics", ""),
        ("Limited", "limited", ""),
        ("Zorbatek Societatea cu Răspundere Limitată", "zorbatek", "limited"),
        ("SRL Zorbatek", "zorbatek", "limited"),
        ("LLC Zorbatek", "zorbatek", "limited"),
        ("Zorbatek S.à r.l.", "zorbatek", "limited"),
        ("Zorbatek S/A", "zorbatek", "stock"),
        ("Zorbatek Designated Activity Company", "zorbatek", "limited"),
        ("Zorbatek Sociedad Anónima Bursátil de Capital Variable", "zorbatek", "stock"),
        ("Zorbatek zártkörűen működő részvénytársaság", "zorbatek", "stock"),
        ("Zorbatek društvo s ograničenom odgovornošću", "zorbatek", "limited"),
        ("Zorbatek Sabiedrība ar ierobežotu atbildību", "zorbatek", "limited"),
        ("Zorbatek Ανώνυμη Εταιρεία", "zorbatek", "stock"),
        ("Приватне акціонерне товариство Zorbatek", "zorbatek", "stock"),
        ("Công ty Cổ phần Zorbatek", "zorbatek", "stock"),
        ("Zorbatek San. ve Tic. A.Ş.", "zorbatek", "stock"),
        ('Zorbatek בע"מ', "zorbatek", "limited"),
        ("บริษัท Zorbatek จำกัด (มหาชน)", "zorbatek", ""),
        ("㈱ソニー", "soni", ""),
        ("(주)카카오", "kakao", ""),
        ("Bianchi di Rossi Mario & C. S.a.s.", "bianchi of rossi mario", "partnership"),
        ("Zorbatek UG (haftungsbeschränkt) & Co. KG", "zorbatek", "partnership"),
        ("Zorbatek S.r.l. in liquidazione", "zorbatek", "limited"),
        ("Zorbatek GmbH (in Liquidation)", "zorbatek", "limited"),
        ("Zorbatek Ltd. (UK)", "zorbatek uk", "limited"),
        ("Zorbatek (UK)", "zorbatek uk", ""),
        ("M/s. Zorbatek Traders", "zorbatek traders", ""),
        ("Zorbatek Bank, National Association", "zorbatek bank", "stock"),
        ("National Association of Realtors", "national association of realtors", ""),
        ("Zorbatek Partners V, L.P.", "zorbatek partner 5", "partnership"),
        ("Zorbatek Capital Trust XX", "zorbatek capital trust 20", ""),
        ("Zorbatek Fund XLIV Feeder", "zorbatek fund 44 feeder", ""),
        ("Zorbatek Capital Mix", "zorbatek capital mix", ""),
        ("Malcolm X", "malcolm x", ""),
        ("B&C Ltd", "b and c", "limited"),
        ("A K S Ltd", "a k s", "limited"),
        ("Zorbatek k. s.", "zorbatek", "partnership"),
        ("Seven-Eleven", "7 11", ""),
        ("Century Twenty-One", "century 21", ""),
    ],
)
def test_an_organisation_name_without_its_legal_form(text: str, tokens: str, legal: str) -> None:
    name = organisation_name(text)
    assert " ".join(name.tokens) == tokens
    assert name.legal.kind == legal


def test_a_legal_form_is_one_form_however_it_is_written() -> None:
    forms = [
        ("Ltd", "Limited", "Co., Ltd.", "Private Limited", "Pty Ltd", "Pvt. Ltd.", "Ltée"),
        ("GmbH", "G.m.b.H.", "Gesellschaft mit beschränkter Haftung", "gGmbH"),
        ("B.V.", "Besloten Vennootschap", "besloten vennootschap met beperkte aansprakelijkheid"),
        ("SARL", "S.à r.l.", "Société à responsabilité limitée", "EURL"),
        ("S.r.l.", "Società a responsabilità limitata", "Societatea cu Răspundere Limitată"),
        ("Sp. z o.o.", "spółka z ograniczoną odpowiedzialnością"),
        ("LLC", "L.L.C.", "Limited Liability Company"),
        ("Inc.", "Incorporated"),
        ("Corp.", "Corporation"),
        ("AG", "Aktiengesellschaft"),
        ("S.A.", "Société Anonyme", "Sociedad Anónima", "Spółka Akcyjna"),
        ("S.A. de C.V.", "Sociedad Anónima de Capital Variable"),
        ("JSC", "Joint-Stock Company", "OAO", "Публичное акционерное общество", "ЗАО"),
        ("A/S", "a.s.", "Aktieselskab", "A.Ş.", "Anonim Şirketi"),
        ("KG", "GmbH & Co. KG", "Kommanditgesellschaft"),
    ]
    found = [{organisation_name(f"Zorbatek {form}").legal for form in several} for several in forms]
    assert all(len(one) == 1 for one in found)
    assert len({form for one in found for form in one}) == len(forms)


def test_every_spelling_of_a_legal_form_is_read_as_that_form() -> None:
    table = yaml.safe_load((files("app.matching.data") / "legal_form_spellings.yaml").read_text("utf-8"))
    spellings = [(name, spelling) for name, several in table.items() for spelling in several]
    assert [one for one in spellings if organisation_name(f"Zorbatek {one[1]}").legal.name != one[0]] == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Acme Corp. d/b/a Roadrunner Supplies", ["Acme Corp.", "Roadrunner Supplies"]),
        ("Zenith Ltd (formerly Apex Ltd)", ["Zenith Ltd", "Apex Ltd"]),
        ("Acme (UK) Ltd t/a Acme", ["Acme (UK) Ltd", "Acme"]),
        ("Beta, Inc., formerly known as Gamma, f/k/a Delta", ["Beta, Inc.", "Gamma", "Delta"]),
        ("DBA International", ["DBA International"]),
        ("A.K.A. Brands", ["A.K.A. Brands"]),
        ("Acme (UK) Ltd", ["Acme (UK) Ltd"]),
    ],
)
def test_one_text_may_give_several_names(text: str, names: list[str]) -> None:
    assert names_in(text) == names


def test_spellings_of_a_given_name_are_one_name() -> None:
    called = nicknames()
    assert not called["mohamad"].isdisjoint(called["muhammed"])
    assert not called["bill"].isdisjoint(called["william"])
    assert called["mikhail"].isdisjoint(called["nikolai"])


def test_an_acronym_skips_the_small_words() -> None:
    assert organisation_name("National Bank of Egypt").acronyms == ("nbe", "nboe")


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("https://www.mail.acme.co.uk/about?x=1", "acme.co.uk"),
        ("jo@eu.acme.de", "acme.de"),
        ("ACME.COM:8080", "acme.com"),
        ("jo@acme.co.co.uk", "acme.co.uk"),
        ("acme.com.com", "acme.com"),
        ("shop.acme.uk.com", "acme.uk.com"),
        ("acme.myshopify.com", "acme.myshopify.com"),
        ("www.weebly.com", "weebly.com"),
        ("localhost", None),
        ("10.0.0.1", None),
        ("www.acme.com, www.acme.de", "acme.com"),
        ("Jo Smith <jo@acme.de>", "acme.de"),
        ("xn--bcher-kva.de", "bücher.de"),
        ("https://www.linkedin.com/company/acme", None),
        ("jo@linkedin.com", "linkedin.com"),
        ("www.facebook.com", "facebook.com"),
        ("", None),
    ],
)
def test_the_registrable_domain(text: str, domain: str | None) -> None:
    found = values.host(text)
    assert (found.domain if found else None) == domain


def test_a_country_s_code_is_that_country() -> None:
    codes = [line.partition("\t")[0] for line in lines_of("countries.txt")]
    assert [country(code.upper()) for code in codes] == codes


@pytest.mark.parametrize(
    ("normalise", "text", "expected"),
    [
        (country, "Deutschland", "de"),
        (country, "USA", "us"),
        (country, "United Kingdom", "gb"),
        (country, "UK", "gb"),
        (country, "DEU", "de"),
        (country, "SUI", "ch"),
        (country, "Korea, Republic of", "kr"),
        (country, "Democratic People's Republic of Korea", "kp"),
        (country, "Taiwan, Province of China", "tw"),
        (country, "The Philippines", "ph"),
        (country, "Соединённые Штаты Америки", "us"),
        (country, "Germany (DE)", "de"),
        (country, "Bayern, Deutschland", "de"),
        (country, "Georgia, USA", "georgia usa"),
        (country, "عمان", "عمان"),
        (country, "Atlantis", "atlantis"),
        (values.phone, "+49 (0) 30 1234567 ext. 5", "49301234567"),
        (values.phone, "12", ""),
        (values.phone, "020 7946 0958 x12", "2079460958"),
        (values.phone, "４１５－５５５－２６７１", "4155552671"),
        (values.postal_code, "sw1a 1aa", "SW1A1AA"),
        (values.postal_code, "12345-6789", "12345"),
        (values.postal_code, "D-10115", "10115"),
        (values.postal_code, "12345.0", "12345"),
        (values.postal_code, "12345-678", "12345678"),
        (date, "1999-12-31", "19991231"),
        (date, "31.12.1999", "19991231"),
        (date, "12/31/1999", "19991231"),
        (date, "19081209", "19081209"),
        (date, "about 1850", "1850"),
        (date, "never", ""),
        (date, "1999/12/31", "19991231"),
        (date, "31. Dezember 1999", "19991231"),
        (date, "Dec 31st, 1999", "19991231"),
        (date, "31 de diciembre de 1999", "19991231"),
        (date, "31.12.1999 00:00", "19991231"),
        (date, "1999年12月31日", "19991231"),
        (date, "12.31.1999", "19991231"),
        (date, "31/12/99", "19991231"),
        (date, "31/12/05", "20051231"),
        (date, "May 2003", "2003"),
        (date, "13/13/1999", "1999"),
        (date, "06 12 10 53 00", ""),
        (values.number, "$1,299.50", "1299.5"),
        (values.number, "1.299,50 €", "1299.5"),
        (values.number, "1 299,50", "1299.5"),
        (values.number, "1,299", "1299.0"),
        (values.number, "1.299", "1.299"),
        (values.number, "0,125", "0.125"),
        (values.number, "12.345.678", "12345678.0"),
        (values.number, "1e+16", "1e+16"),
        (values.number, "none", ""),
        (values.email, "Jo+news@Acme.com", "jo@acme.com"),
        (values.email, "no address", ""),
        (values.email, "Jo Smith <mailto:jo@acme.com>", "jo@acme.com"),
        (values.email, "jo@acme.com; ann@acme.com", "jo@acme.com"),
        (values.email, "J.O.Smith@googlemail.com", "josmith@gmail.com"),
        (address, "12 N. Main St, Apt. 4", "12 north main street apartment 4"),
        (address, "12 St. James St.", "12 saint james street"),
        (address, "Hauptstr. 5", "hauptstrasse 5"),
        (address, "P.O. Box 7", "po box 7"),
        (person_name, "Prof. Dr. Ann Lee, PhD", "ann lee"),
        (person_name, "Mr. John Smith Jr.", "john smith jr"),
        (person_name, "MD Rahman", "md rahman"),
        (person_name, "Dr", "dr"),
    ],
)
def test_a_value_in_its_normal_form(normalise: object, text: str, expected: str) -> None:
    assert callable(normalise)
    assert normalise(text) == expected


def test_roles_come_from_names_and_values() -> None:
    types = dict.fromkeys(("Company Name", "web", "Mail", "col7", "Straße", "ZIP", "born", "x"), "string")
    samples = {"col7": ["acme.com", "globex.org", "www.initech.de"], "x": ["ann@a.com", "bob@b.de"]}
    roles = infer_roles(types, samples)
    assert [role.value for role in roles.values()] == [
        "organization_name",
        "domain",
        "email",
        "domain",
        "address",
        "postal_code",
        "date",
        "email",
    ]


@pytest.mark.parametrize(
    ("names", "role"),
    [
        ("Firma|raison sociale|razón social|会社名|Название|Company / Account|nom", Role.ORGANIZATION_NAME),
        ("Webseite|sito web|网址|company_url", Role.DOMAIN),
        ("E-Mail-Adresse|courriel|correo electrónico|Work Email", Role.EMAIL),
        ("Telefonnummer|teléfono|電話番号|phone1|Contact No.", Role.PHONE),
        ("Straße|indirizzo|BillingStreet|address_line_2|住所", Role.ADDRESS),
        ("Ort|città|miasto|市|Billing City", Role.CITY),
        ("Kanton|provincia|województwo|Billing State/Province", Role.REGION),
        ("PLZ|code postal|PSČ|Billing Zip/Postal Code|pin code", Role.POSTAL_CODE),
        ("Land|pays|país|kraj|国家|country_iso2", Role.COUNTRY),
        ("Geburtsdatum|fecha de nacimiento|生年月日", Role.DATE),
        ("Vorname|prénom|voornaam|First Name (contact)", Role.GIVEN_NAME),
        ("Nachname|apellidos|cognome|фамилия", Role.FAMILY_NAME),
        ("USt-IdNr|NIF|partita iva|инн", Role.IDENTIFIER),
        ("Account Owner|Lead Source|Industry|Parent Account", Role.TEXT),
    ],
)
def test_what_a_field_is_called_tells_its_role(names: str, role: Role) -> None:
    assert {name: infer_roles({name: "string"})[name] for name in names.split("|")} == dict.fromkeys(
        names.split("|"), role
    )


def test_a_name_beside_half_of_a_persons_name_is_the_other_half() -> None:
    assert list(infer_roles(dict.fromkeys(("nom", "prénom"), "string")).values()) == [Role.FAMILY_NAME, Role.GIVEN_NAME]
    assert list(infer_roles(dict.fromkeys(("nombre", "apellidos"), "string")).values()) == [
        Role.GIVEN_NAME,
        Role.FAMILY_NAME,
    ]


def test_customers_that_are_companies_have_names_of_organisations() -> None:
    field = {"customer_name": "string"}
    companies = infer_roles(field, {"customer_name": ["Acme Ltd", "Beta GmbH", "John Smith"]})
    people = infer_roles(field, {"customer_name": ["Ann Lee", "Bob Ross", "John Smith"]})
    assert (companies["customer_name"], people["customer_name"]) == (Role.ORGANIZATION_NAME, Role.PERSON_NAME)


def test_a_leads_fields_meet_an_accounts() -> None:
    fields = (
        FieldSpec("account_name", "string", Role.ORGANIZATION_NAME),
        FieldSpec("website", "string", Role.DOMAIN),
        FieldSpec("hq_country", "string", Role.COUNTRY),
    )
    slots = slots_of(MatchSchema(fields))
    record = {"Company": "Acme", "email": "jo@acme.com", "country": "US", "first_name": "Jo"}
    pairing = pair_fields(record, slots)
    met = {name: slots[positions[0]].fields[0] for name, positions in pairing.slots.items()}
    assert met == {"Company": "account_name", "email": "website", "country": "hq_country"}
    assert pairing.unused == ("first_name",)


@pytest.mark.parametrize("extra", ["Lead Source", "job_title", "notes", "Contact"])
def test_what_a_lead_says_beside_its_company_is_no_second_name_of_it(extra: str) -> None:
    slots = slots_of(MatchSchema((FieldSpec("account_name", "string", Role.ORGANIZATION_NAME),)))
    pairing = pair_fields({extra: "Trade fair", "Company": "Acme"}, slots)
    assert (pairing.slots, pairing.unused) == ({"Company": (0,)}, (extra,))


@pytest.mark.parametrize("only", ["x", "Contact"])
def test_the_only_field_that_may_be_the_name_is_the_name(only: str) -> None:
    slots = slots_of(MatchSchema((FieldSpec("account_name", "string", Role.ORGANIZATION_NAME),)))
    assert pair_fields({only: "Acme", "country": "US"}, slots).slots == {only: (0,)}
