"""Words of other languages by what they are built of: learned ones in English spelling, compounds taken apart.

No table holds all of them: `Hydrologie`, `hidrología`, `Wasserforschungsinstitut`.
"""

from __future__ import annotations

import re
from collections.abc import Container

_LEARNED = re.compile(r"([a-z]{3,})(log|gra|nom|metr)(?:ia|ie|ija|iya|ii|i|fia|phie|fie|fija|fiya|fii|fi)")
_LEARNED_ENDS = tuple("gia gie gija giya gii gi afia phie afie afija afiya afii afi mia mie tria trie".split())
_ENGLISH_ENDS = {"log": "logy", "gra": "graphy", "nom": "nomy", "metr": "metry"}
_STEMS = {
    "antropo": "anthropo",
    "archeo": "archaeo",
    "arheo": "archaeo",
    "arkeo": "archaeo",
    "arqueo": "archaeo",
    "cito": "cyto",
    "eko": "eco",
    "farma": "pharma",
    "farmako": "pharmaco",
    "fisio": "physio",
    "fizjo": "physio",
    "fysio": "physio",
    "ginec": "gynec",
    "gynaec": "gynec",
    "gynak": "gynec",
    "hidro": "hydro",
    "idro": "hydro",
    "imuno": "immuno",
    "inmuno": "immuno",
    "kardio": "cardio",
    "kosmo": "cosmo",
    "mikro": "micro",
    "oftalm": "ophthalm",
    "oko": "eco",
    "onko": "onco",
    "ophtalm": "ophthalm",
    "pharmako": "pharmaco",
    "psico": "psycho",
    "psiho": "psycho",
    "psiko": "psycho",
    "sozio": "socio",
    "tehno": "techno",
    "tekhno": "techno",
    "tekno": "techno",
    "toksiko": "toxico",
    "tossico": "toxico",
    "toxiko": "toxico",
    "zyto": "cyto",
}
"""How learned words begin elsewhere, and in English."""
_STEM = re.compile("|".join(sorted(_STEMS, key=len, reverse=True)))
_LAST_PARTS = tuple(
    "krankenhaus krankenhauser klinikum klinik kliniken spital institut institutet instituttet ministerium ministeriet "
    "universitat universitet universitetet hochschule hogskola hogskolan hogskole hogskolen hogeschool gesellschaft selskab "
    "selskap verband verein stiftung stiftelse stiftelsen forschung forskning onderzoek sjukhus sjukhuset sygehus sykehus "
    "sykehuset ziekenhuis museum museet bibliothek bibliotek biblioteket akademie versicherung versicherungen forsikring "
    "forening foreningen zentrum verwaltung wissenschaft wissenschaften technik fabrik schule".split()
)
"""What Germanic compounds end with that is a word of its own in `words.yaml` or `translations.txt`."""
_COMPOUND = re.compile(rf"([a-z]{{4,}}?)({'|'.join(_LAST_PARTS)})")
ENDS = (*_LEARNED_ENDS, *_LAST_PARTS)
"""What all these words end with: a first look at a word."""


def rebuilt(word: str, known: Container[str]) -> list[str]:
    """The words to put for a folded one: `hidrologia` is `hydrology`, `forschungsinstitut` is `forschung institut`.

    A word that is known, or built in no such way, is left as it is.
    """
    if word in known:
        return [word]
    learned = _LEARNED.fullmatch(word)
    if learned is not None:
        stem, end = learned.groups()
        begins = _STEM.match(stem)
        if begins is not None:
            stem = _STEMS[begins.group()] + stem[begins.end() :]
        return [stem + _ENGLISH_ENDS[end]]
    compound = _COMPOUND.fullmatch(word)
    if compound is None:
        return [word]
    first, last = compound.groups()
    if first not in known and first.endswith("s") and (first[:-1] in known or first[:-1].endswith(_LAST_PARTS)):
        first = first[:-1]
    return [*rebuilt(first, known), last]
