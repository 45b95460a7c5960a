"""A FastMCP server behind its in-memory OAuth provider.

Registration is dynamic, consent is given at once, refresh tokens rotate. Tools: `read_notes` (scope `notes:read`) and
`add_note` (scope `notes:write`; without it the answer is 403 with the step-up challenge of RFC 6750 section 3.1).

Prints one line of JSON when it is ready: {"mcp": URL, "control": URL}. Under the control URL:
    GET  /counts    how often each thing happened: registered, authorized, exchanged, refreshed, refused, revoked, called
    POST /forget    forgets all tokens, as when a person takes back their consent at the provider
"""

import argparse
import asyncio
import collections
import json
import re
import socket

import uvicorn
from fastmcp import FastMCP
from fastmcp.server.auth.auth import ClientRegistrationOptions, RevocationOptions
from fastmcp.server.auth.providers import in_memory
from mcp.server.auth.provider import TokenError
from starlette.responses import JSONResponse

READ, WRITE = "notes:read", "notes:write"
SCOPE_OF = {"add_note": WRITE}


class Provider(in_memory.InMemoryOAuthProvider):
    """Counts, and keeps the refresh token of an access token that has expired."""

    def __init__(self, base_url):
        super().__init__(
            base_url=base_url,
            required_scopes=[READ],
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=[READ, WRITE], default_scopes=[READ, WRITE]
            ),
            revocation_options=RevocationOptions(enabled=True),
        )
        self.counts = collections.Counter()

    async def register_client(self, client_info):
        await super().register_client(client_info)
        self.counts["registered"] += 1

    async def authorize(self, client, params):
        self.counts["authorized"] += 1
        return await super().authorize(client, params)

    async def exchange_authorization_code(self, client, authorization_code):
        tokens = await super().exchange_authorization_code(client, authorization_code)
        self.counts["exchanged"] += 1
        return tokens

    async def load_refresh_token(self, client, refresh_token):
        found = await super().load_refresh_token(client, refresh_token)
        self.counts["refused"] += found is None
        return found

    async def exchange_refresh_token(self, client, refresh_token, scopes):
        # Between the look-up and here another request may have used it.
        if refresh_token.token not in self.refresh_tokens:
            self.counts["refused"] += 1
            raise TokenError("invalid_grant", "refresh token was used before")
        tokens = await super().exchange_refresh_token(client, refresh_token, scopes)
        self.counts["refreshed"] += 1
        return tokens

    async def load_access_token(self, token):
        # The parent revokes the refresh token too, so that one late call would end the connection.
        found = self.access_tokens.get(token)
        expired = found and found.expires_at < in_memory.time.time()
        return None if expired else found

    async def revoke_token(self, token):
        await super().revoke_token(token)
        self.counts["revoked"] += 1

    def forget(self):
        for table in (
            self.access_tokens,
            self.refresh_tokens,
            self._access_to_refresh_map,
            self._refresh_to_access_map,
        ):
            table.clear()


def server(provider):
    mcp = FastMCP("notes", auth=provider)
    notes = ["buy milk"]

    @mcp.tool(annotations={"readOnlyHint": True})
    def read_notes() -> list[str]:
        """All notes, oldest first."""
        provider.counts["called"] += 1
        return notes

    @mcp.tool(annotations={"readOnlyHint": False})
    def add_note(text: str) -> str:
        """Adds a note."""
        provider.counts["called"] += 1
        notes.append(text)
        return f"note {len(notes)}"

    @mcp.custom_route("/control/counts", methods=["GET"])
    async def counts(_request):
        return JSONResponse(provider.counts)

    @mcp.custom_route("/control/forget", methods=["POST"])
    async def forget(_request):
        provider.forget()
        return JSONResponse({})

    return mcp


def step_up(app, provider, metadata):
    """Answers a call that lacks a scope as RFC 6750 says. FastMCP would answer 200 and an error inside."""

    async def stepping_up(scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith("/mcp"):
            return await app(scope, receive, send)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        wanted = missing(provider, dict(scope["headers"]), body)
        if wanted:
            challenge = f'Bearer error="insufficient_scope", scope="{wanted}", resource_metadata="{metadata}"'
            refusal = JSONResponse({"error": "insufficient_scope"}, 403, {"WWW-Authenticate": challenge})
            return await refusal(scope, receive, send)
        given = iter([{"type": "http.request", "body": body}])

        async def replay():
            return next(given, None) or await receive()

        return await app(scope, replay, send)

    return stepping_up


def missing(provider, headers, body):
    """The scope that the bearer lacks for this message; None if it lacks none or is nobody."""
    token = re.sub(rb"(?i)^bearer ", b"", headers.get(b"authorization", b"")).decode()
    known = provider.access_tokens.get(token)
    try:
        message = json.loads(body)
        name = message["params"]["name"] if message["method"] == "tools/call" else None
    except (ValueError, KeyError, TypeError):
        return None
    wanted = SCOPE_OF.get(name)
    return wanted if known and wanted and wanted not in known.scopes else None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: the kernel chooses")
    parser.add_argument("--url", help="as clients see it, if not http://HOST:PORT")
    parser.add_argument("--access-seconds", type=int, default=10, help="life of an access token")
    parser.add_argument("--refresh-seconds", type=int, help="life of a refresh token; without: for ever")
    parser.add_argument("--certificate", help="PEM file; without: plain HTTP")
    parser.add_argument("--key", help="PEM file")
    return parser.parse_args()


async def main():
    given = arguments()
    in_memory.DEFAULT_ACCESS_TOKEN_EXPIRY_SECONDS = given.access_seconds
    in_memory.DEFAULT_REFRESH_TOKEN_EXPIRY_SECONDS = given.refresh_seconds
    listener = socket.create_server((given.host, given.port))
    scheme = "https" if given.certificate else "http"
    url = given.url or f"{scheme}://{given.host}:{listener.getsockname()[1]}"

    provider = Provider(url)
    app = server(provider).http_app(path="/mcp", host_origin_protection=False)
    guarded = step_up(app, provider, f"{url}/.well-known/oauth-protected-resource/mcp")
    config = uvicorn.Config(
        guarded,
        log_level="warning",
        lifespan="on",
        ssl_certfile=given.certificate,
        ssl_keyfile=given.key,
        timeout_graceful_shutdown=1,
    )
    print(json.dumps({"mcp": f"{url}/mcp", "control": f"{url}/control"}), flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])


asyncio.run(main())
