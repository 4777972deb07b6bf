"""The matching profiles: data that says what is retrieved, weighed and decided; checked when they are loaded."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import orjson
import yaml

from app.errors import InvalidSchema
from app.matching.profile import Profile, parse_model, parse_profile

NAMES = ("high_precision", "balanced", "high_recall", "leads_to_accounts")
_MODELS = ("general.json",)


@cache
def load_profiles() -> dict[str, Profile]:
    """Every profile by name; raises InternalError when one of them cannot be right."""
    here = files("app.profiles")
    models = {
        model.name: model for model in (parse_model(orjson.loads((here / name).read_bytes())) for name in _MODELS)
    }
    return {name: parse_profile(yaml.safe_load((here / f"{name}.yaml").read_text("utf-8")), models) for name in NAMES}


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
