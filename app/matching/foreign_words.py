"""Words of other languages by what they are built of: learned ones in English spelling, compounds taken apart.

No table holds all of them: `Hydrologie`, `hidrología`, `Wasserforschungsinstitut`.
"""

from __future__ import annotations

import re
from collections.abc import Container

_LEARNED_ENDS = {
    "logy": "logia logie logija logiya logii logi",
    "graphy": "grafia graphie grafie grafija grafiya grafii grafi",
    "nomy": "nomia nomie nomija nomiya nomii nomi",
    "metry": "metria metrie metrija metriya metrii metri",
}
"""English endings, and what they are elsewhere."""
_ENGLISH_ENDS = {end: english for english, ends in _LEARNED_ENDS.items() for end in ends.split()}
_LEARNED = re.compile(rf"([a-z]{{3,}})({'|'.join(_ENGLISH_ENDS)})")
_STEMS = {
    "antropo": "anthropo",
    "archeo": "archaeo",
    "arheo": "archaeo",
    "arkeo": "archaeo",
    "arqueo": "archaeo",
    "cito": "cyto",
    "eko": "eco",
    "etno": "ethno",
    "farma": "pharma",
    "farmako": "pharmaco",
    "filo": "philo",
    "fisio": "physio",
    "fizjo": "physio",
    "foto": "photo",
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
    "morfo": "morpho",
    "nefro": "nephro",
    "oftalm": "ophthalm",
    "oko": "eco",
    "onko": "onco",
    "ophtalm": "ophthalm",
    "pato": "patho",
    "pharmako": "pharmaco",
    "psico": "psycho",
    "psiho": "psycho",
    "psiko": "psycho",
    "reumato": "rheumato",
    "revmato": "rheumato",
    "sozio": "socio",
    "tecno": "techno",
    "tehno": "techno",
    "tekhno": "techno",
    "tekno": "techno",
    "toksiko": "toxico",
    "tossico": "toxico",
    "toxiko": "toxico",
    "zyto": "cyto",
}
"""How learned words begin elsewhere, and in English; the long ones stand inside words too (`nanotecnologia`)."""
_LONG_STEM_CHARS = 5
_STEM = re.compile(
    "|".join(stem if len(stem) >= _LONG_STEM_CHARS else f"^{stem}" for stem in sorted(_STEMS, key=len, reverse=True))
)
_LAST_PARTS = tuple(
    "krankenhaus krankenhauser klinikum klinik kliniken spital institut institutet instituttet ministerium ministeriet "
    "universitat universitet universitetet hochschule hogskola hogskolan hogskole hogskolen hogeschool gesellschaft selskab "
    "selskap verband verein stiftung stiftelse stiftelsen forschung forskning onderzoek sjukhus sjukhuset sygehus sykehus "
    "sykehuset ziekenhuis museum museet bibliothek bibliotek biblioteket akademie versicherung versicherungen forsikring "
    "forening foreningen zentrum verwaltung wissenschaft wissenschaften technik fabrik schule".split()
)
"""What Germanic compounds end with that is a word of its own in `words.yaml` or `translations.txt`."""
_COMPOUND = re.compile(rf"(?!pol[iy])([a-z]{{4,}}?)({'|'.join(_LAST_PARTS)})")
ENDS = (*_ENGLISH_ENDS, *_LAST_PARTS)
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
        return [_STEM.sub(lambda found: _STEMS[found.group()], stem) + _ENGLISH_ENDS[end]]
    compound = _COMPOUND.fullmatch(word)
    if compound is None:
        return [word]
    first, last = compound.groups()
    if first not in known and first.endswith("s") and (first[:-1] in known or first[:-1].endswith(_LAST_PARTS)):
        first = first[:-1]
    return [*rebuilt(first, known), last]
