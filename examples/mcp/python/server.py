# The three tools of ../server.go, with the official Python SDK (mcp 2.3.0). Who calls is in a
# header that only the gateway can set.
#
#	python server.py 9000
import sys

from mcp.server import MCPServer
from mcp.server.mcpserver import Context

texts = {"handbook": "Holidays are in the calendar."}
server = MCPServer("documents")


def caller(context: Context) -> str:
    return context.headers.get("x-auth-username", "")


@server.tool(description="Finds documents.")
def search(text: str, context: Context) -> str:
    found = sorted(name for name, t in texts.items() if text.lower() in t.lower())
    return f"{caller(context)}, there are {len(found)}: {', '.join(found)}"


@server.tool(description="Writes a document.")
def write(name: str, text: str, context: Context) -> str:
    texts[name] = text
    return f"{caller(context)} wrote {name}"


@server.tool(description="Deletes a document.")
def delete_document(name: str, context: Context) -> str:
    texts.pop(name, None)
    return f"{caller(context)} deleted {name}"


if __name__ == "__main__":
    server.run(transport="streamable-http", host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 9000, stateless_http=True)
