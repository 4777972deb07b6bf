"""The matching profiles: data that says what is retrieved, weighed and decided; checked when they are loaded."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

import orjson
import yaml

from app.errors import InvalidSchema
from app.matching.profile import Profile, parse_model, parse_profile

NAMES = ("high_precision", "balanced", "high_recall", "leads_to_accounts")
_MODELS = ("general.json", "leads.json")


@cache
def load_profiles() -> dict[str, Profile]:
    """Every profile by name; raises InternalError when one of them cannot be right."""
    here = files("app.profiles")
    models = {
        model.name: model for model in (parse_model(orjson.loads((here / name).read_bytes())) for name in _MODELS)
    }
    return {name: parse_profile(yaml.safe_load((here / f"{name}.yaml").read_text("utf-8")), models) for name in NAMES}


@cache
def profile_digest(name: str) -> str:
    """What a profile says, model included, as a sha256: equal digests decide equally."""
    here, profile = files("app.profiles"), find_profile(name)
    content = [here / f"{profile.name}.yaml", *(here / model for model in _MODELS)]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in content)).hexdigest()


def find_profile(name: str) -> Profile:
    """The profile `name` or `name@version`; raises InvalidSchema naming those that exist."""
    plain, _, version = name.partition("@")
    profile = load_profiles().get(plain)
    if profile is None or (version and version != str(profile.version)):
        known = sorted(profile.label for profile in load_profiles().values())
        raise InvalidSchema(
            f"There is no profile {name!r}; there are {', '.join(known)}.",
            field="options.profile",
            received=name,
        )
    return profile
