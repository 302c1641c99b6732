"""Routes that are worked out when they are first asked for anything but their address. FastAPI reads what each takes
and answers from its signature: a millisecond a route, 350 routes an installation, most of which a test never calls."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import compile_path


def put_off(patch: pytest.MonkeyPatch) -> None:
    """From now on, as long as `patch` lasts."""
    honest = APIRoute.__init__

    def begun(self: APIRoute, path: str, endpoint: Callable[..., Any], **rest: Any) -> None:
        self.path, self.endpoint = path, endpoint
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self.methods = {method.upper() for method in rest.get("methods") or ["GET"]}
        vars(self)["rest"] = rest

    def worked_out(self: APIRoute, name: str) -> Any:
        if "rest" not in vars(self):
            raise AttributeError(name)
        honest(self, self.path, self.endpoint, **vars(self).pop("rest"))
        return getattr(self, name)

    patch.setattr(APIRoute, "__init__", begun)
    patch.setattr(APIRoute, "__getattr__", worked_out, raising=False)
