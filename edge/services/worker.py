"""gunicorn's threaded worker, but for answers that wait for the group commit: those give their thread back meanwhile.

Two hundred tablets that save at once would otherwise be two hundred sleeping threads, each woken alone; and a disk
that stalls would leave no thread for the clock and the console. The thread that commits sends the answers, each in one
piece and without ever waiting for a tablet: what a socket does not take at once a pool thread sends.

What is no HTTP gets the same kind of answer as any other refusal, where gunicorn would say 501 or a page of its own.

This leans on the insides of the pinned gunicorn: `handle_request`, `_keepalive_after`, `finish_request`, `enqueue_req`,
`handle_exit`, `handle_error`.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from edge.ui.errors import as_error, error_body
from edge.web.later import JSON, KEY, Later, to_text

TOO_LONG = (errors.LimitRequestLine, errors.LimitRequestHeaders)
OURS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)


class _Done:
    """The result of a request in the form in which gunicorn asks for it."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def result(self) -> Any:
        return self._result

    def cancelled(self) -> bool:
        return False


class AnswerWorker(ThreadWorker):  # type: ignore[misc]
    """The one worker of `web`."""

    def load_wsgi(self) -> None:
        super().load_wsgi()
        app: Callable[[dict[str, Any], Any], Iterable[bytes]] = self.app.wsgi()
        plain = not self.cfg.is_ssl
        self._answered: deque[tuple[Any, bool]] = deque()

        def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            environ[KEY] = plain
            try:
                return app(environ, start_response)
            except Later as later:
                later.response = start_response.__self__
                raise

        self.wsgi = wsgi

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: what would otherwise go on for minutes is told to end."""
        if self.alive:
            self.app.stopping.set()
        super().handle_exit(sig, frame)

    def enqueue_req(self, conn: Any) -> None:
        self.tpool.submit(self._work, conn)

    def _work(self, conn: Any) -> None:
        result = self.handle(conn)
        if isinstance(result, Later):
            result.__traceback__ = None
            result.pending.then(lambda: self._send(conn, result))
        else:
            self.method_queue.defer(self.finish_request, conn, _Done(result))

    def handle_request(self, req: Any, conn: Any) -> Any:
        try:
            return super().handle_request(req, conn)
        except Later as later:
            return later

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what came to nothing before a view saw it: 400 or 413 for what is no HTTP, 500 for our own fault."""
        whose = isinstance(exc, (errors.ParseException, ssl.SSLError)) and not isinstance(exc, OURS)
        if whose:
            self.log.warning("Invalid request from ip=%s: %s", (addr or ("",))[0], exc)
        else:
            self.log.error("Error handling request", exc_info=exc)
        known = as_error((RequestEntityTooLarge if isinstance(exc, TOO_LONG) else BadRequest)() if whose else exc)
        body = to_text(error_body(known)).encode()
        head = f"HTTP/1.1 {known.status} -\r\nConnection: close\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}"
        with suppress(OSError):
            client.send(f"{head}\r\n\r\n".encode() + body, socket.MSG_DONTWAIT)

    def _keepalive_after(self, conn: Any, keepalive: Any) -> Any:
        if not isinstance(keepalive, Later):
            return super()._keepalive_after(conn, keepalive)
        keepalive.keep = super()._keepalive_after(conn, True)
        return keepalive

    def _send(self, conn: Any, later: Later) -> None:
        """Send an answer whose job is settled; the rest of one that the socket does not take is a pool thread's."""
        response, keep = later.response, later.keep
        try:
            status, body = later.answer()
            response.start_response(status, [*later.headers, ("Content-Length", str(len(body)))])
            if not keep:
                response.force_close()
            keep = keep and not response.should_close()
            head = [*response.default_headers(), *(f"{name}: {value}\r\n" for name, value in response.headers), "\r\n"]
            data = "".join(head).encode("latin-1") + body
            try:
                sent = conn.sock.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            if sent < len(data):
                self.tpool.submit(self._send_rest, conn, data[sent:], keep)
                return
        except Exception as error:
            if not isinstance(error, OSError):
                self.log.exception("an answer could not be sent")
            keep = False
        self._answer_done(conn, keep)

    def _send_rest(self, conn: Any, data: bytes, keep: bool) -> None:
        try:
            conn.sock.sendall(data)
        except OSError:
            keep = False
        self._answer_done(conn, keep)

    def _answer_done(self, conn: Any, keep: bool) -> None:
        """Tell the main loop, once for all that are done meanwhile."""
        self._answered.append((conn, keep))
        if len(self._answered) == 1:
            with suppress(Exception):  # a worker that is gone has closed its queue
                self.method_queue.defer(self._finish_answered)

    def _finish_answered(self) -> None:
        while self._answered:
            conn, keep = self._answered.popleft()
            self.finish_request(conn, _Done(keep))
