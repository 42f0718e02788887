"""A gateway that dies between commit and answer: run as a program, it serves like `examroom gateway serve`.

A file `cut` in its folder holds how many answers to a POST are to be lost: the worker kills itself with the answer in
hand, after everything is on disk. The master starts the next worker, as it would in life.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Flask

from edge.gateway.serve import GatewayServer


class CutServer(GatewayServer):
    def load(self) -> Flask:
        app = super().load()
        inner, file = app.wsgi_app, self._folder / "cut"

        def cut(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            answer: Iterable[bytes] = inner(environ, start_response)
            if environ["REQUEST_METHOD"] == "POST" and file.exists():
                left = int(file.read_text())
                if left > 1:
                    file.write_text(str(left - 1))
                else:
                    file.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        app.wsgi_app = cut  # type: ignore[method-assign]
        return app


if __name__ == "__main__":
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    CutServer(Path(options["--dir"]), "127.0.0.1", int(options["--port"]), 8).run()
