// The three tools of ../server.go, with the official TypeScript SDK. Who calls is in a header
// that only the gateway can set.
//
//	node server.mjs 9000
import { createServer } from 'node:http';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

const texts = new Map([['handbook', 'Holidays are in the calendar.']]);

function documents() {
  const server = new McpServer({ name: 'documents', version: '1.0.0' });
  const tool = (name, description, shape, work) =>
    server.registerTool(name, { description, inputSchema: z.object(shape) }, async (input, context) => {
      const caller = context.http?.req?.headers.get('x-auth-username') ?? '';
      return { content: [{ type: 'text', text: caller + work(input) }] };
    });
  tool('search', 'Finds documents.', { text: z.string() }, ({ text }) => {
    const found = [...texts].filter(([, t]) => t.toLowerCase().includes(text.toLowerCase())).map(([name]) => name);
    return `, there are ${found.length}: ${found.sort().join(', ')}`;
  });
  tool('write', 'Writes a document.', { name: z.string(), text: z.string() }, ({ name, text }) => {
    texts.set(name, text);
    return ` wrote ${name}`;
  });
  tool('delete_document', 'Deletes a document.', { name: z.string() }, ({ name }) => {
    texts.delete(name);
    return ` deleted ${name}`;
  });
  return server;
}

const server = createServer(async (request, response) => {
  const transport = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await documents().connect(transport);
  await transport.handleRequest(request, response);
});
server.listen(Number(process.argv[2] ?? 9000), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
