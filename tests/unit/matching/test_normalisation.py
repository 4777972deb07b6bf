"""What names and values become, by example."""

from __future__ import annotations

import pytest

from app.matching import values
from app.matching.layout import slots_of
from app.matching.organisations import organisation_name
from app.matching.pairing import pair_fields
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
    ],
)
def test_an_organisation_name_without_its_legal_form(text: str, tokens: str, legal: str) -> None:
    name = organisation_name(text)
    assert " ".join(name.tokens) == tokens
    assert name.legal_class == legal


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
        ("", None),
    ],
)
def test_the_registrable_domain(text: str, domain: str | None) -> None:
    found = values.host(text)
    assert (found.domain if found else None) == domain


@pytest.mark.parametrize(
    ("normalise", "text", "expected"),
    [
        (values.country, "Deutschland", "de"),
        (values.country, "USA", "us"),
        (values.country, "United Kingdom", "gb"),
        (values.country, "UK", "gb"),
        (values.country, "DEU", "de"),
        (values.phone, "+49 (0) 30 1234567 ext. 5", "490301234567"),
        (values.phone, "12", ""),
        (values.postal_code, "sw1a 1aa", "SW1A1AA"),
        (values.postal_code, "12345-6789", "12345"),
        (values.date, "1999-12-31", "19991231"),
        (values.date, "31.12.1999", "19991231"),
        (values.date, "12/31/1999", "19991231"),
        (values.date, "19081209", "19081209"),
        (values.date, "about 1850", "1850"),
        (values.date, "never", ""),
        (values.number, "$1,299.50", "1299.5"),
        (values.email, "Jo+news@Acme.com", "jo@acme.com"),
        (values.email, "no address", ""),
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
