# A client made with the Python SDK. It asks whoever runs it to open a URL and to say where
# that ended, as a person's browser would, and prints what became of each step.
import asyncio
import os
import sys
from urllib.parse import parse_qs, urlparse

from mcp import ClientSession
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata

url, how, callback = sys.argv[1:4]
document = how if how.startswith("https:") else None
client_id = None if document or how == "registers" else how
ends = "ends" in sys.argv[4:]  # a sign-out takes tokens back


class Storage:
    tokens = None
    info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        if not client_id:
            return self.info
        return OAuthClientInformationFull(client_id=client_id, redirect_uris=[callback], token_endpoint_auth_method="none")

    async def set_client_info(self, info):
        if client_id:
            raise RuntimeError("it registers, although it has an id")
        if document and info.client_id != document:
            raise RuntimeError("it registers, although it has a document")
        self.info = info


async def opened(target):
    print("open", target, flush=True)


async def ended():
    answer = (await asyncio.to_thread(sys.stdin.readline)).strip()
    if not answer:  # nobody agreed
        print("ended ! it asks again", flush=True)
        os._exit(0)  # the SDK has no way to give up
    q = parse_qs(urlparse(answer).query)
    if "error" in q:
        print("refused", q.get("error_description", q["error"])[0], flush=True)
        os._exit(0)  # the session is lost with that
    return AuthorizationCodeResult(code=q["code"][0], state=q["state"][0], iss=q.get("iss", [None])[0])


async def step(name, work):
    try:
        print(name, "=", await work, flush=True)
    except Exception as error:
        print(name, "!", str(error).replace("\n", " "), flush=True)


async def main():
    metadata = OAuthClientMetadata(client_name="test", redirect_uris=[callback], token_endpoint_auth_method="none")
    auth = OAuthClientProvider(url, metadata, Storage(), opened, ended, client_metadata_url=document)
    async with create_mcp_http_client(auth=auth) as http:
        async with streamable_http_client(url, http_client=http) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                await session.initialize()

                async def listed():
                    return ",".join(sorted(t.name for t in (await session.list_tools()).tools))

                async def call(tool, **arguments):
                    return (await session.call_tool(tool, arguments)).content[0].text

                await step("list", listed())
                await step("search", call("search", text="holidays"))
                await step("delete", call("delete_document", name="handbook"))
                await step("write", call("write", name="notes", text="holidays, too"))
                await step("again", call("search", text="holidays"))
                before = auth.context.current_tokens.access_token
                auth.context.token_expiry_time = 1  # long ago
                await step("refreshed", call("search", text="holidays"))
                print("renewed", auth.context.current_tokens.access_token != before, flush=True)
                if not ends:
                    return
                print("sign-out", flush=True)
                await asyncio.to_thread(sys.stdin.readline)

                async def refused():  # within a second
                    for _ in range(600):
                        await call("search", text="holidays")
                        await asyncio.sleep(0.1)
                    return "it goes on"

                await step("ended", refused())


asyncio.run(main())
