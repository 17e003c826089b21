// A client made with an official TypeScript SDK: @modelcontextprotocol/client, or the 1.x
// @modelcontextprotocol/sdk. It asks whoever runs it to open a URL and to say where that
// ended, as a person's browser would, and prints what became of each step.
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';

const [, , sdk, url, how, callback, ends] = process.argv;
const { Client, StreamableHTTPClientTransport, UnauthorizedError } =
  sdk === 'client'
    ? await import('@modelcontextprotocol/client')
    : {
        ...(await import('@modelcontextprotocol/sdk/client/index.js')),
        ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
        ...(await import('@modelcontextprotocol/sdk/client/auth.js')),
      };

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const told = async () => (await lines.next()).value ?? '';

let opened; // where a person is to go
let state;
const kept = {};
const provider = {
  redirectUrl: callback,
  clientMetadata: { client_name: 'test', redirect_uris: [callback], token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'] },
  state: () => (state = randomUUID()),
  clientInformation: () => kept.client,
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  redirectToAuthorization: (to) => void (opened = to),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
  saveDiscoveryState: (discovered) => void (kept.discovered = discovered),
  discoveryState: () => kept.discovered,
  invalidateCredentials(what) {
    if (what === 'all' || what === 'tokens') delete kept.tokens;
    if (what === 'all' || what === 'discovery') delete kept.discovered;
    if ((what === 'all' || what === 'client') && how === 'registers') delete kept.client;
  },
};
if (how.startsWith('https:')) {
  provider.clientMetadataUrl = how;
  provider.saveClientInformation = (client) => void (kept.client = client);
} else if (how === 'registers') {
  provider.saveClientInformation = (client) => void (kept.client = client);
} else {
  kept.client = { client_id: how };
}

let client, transport;
const connect = async () => {
  client = new Client({ name: 'test', version: '1.0.0' });
  transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
  await client.connect(transport);
};

// agreed does the work, and again once a person has agreed to it.
async function agreed(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UnauthorizedError) || !opened) throw error;
  }
  console.log('open', opened.href);
  opened = undefined;
  const answer = await told();
  if (!answer) throw new Error('nobody is there');
  const parameters = new URL(answer).searchParams;
  if (parameters.get('state') !== state) throw new Error('the answer is to another question');
  if (parameters.has('error')) throw new Error(`refused: ${parameters.get('error_description') ?? parameters.get('error')}`);
  await (sdk === 'client' ? transport.finishAuth(parameters) : transport.finishAuth(parameters.get('code')));
  return work();
}

async function step(name, work) {
  try {
    console.log(name, '=', await agreed(work));
  } catch (error) {
    console.log(name, '!', String(error.message).replaceAll('\n', ' '));
  }
}

const call = async (name, input) => (await client.callTool({ name, arguments: input })).content[0].text;

await step('connect', async () => (await connect(), 'connected'));
await step('list', async () => (await client.listTools()).tools.map((tool) => tool.name).sort().join(','));
await step('search', () => call('search', { text: 'holidays' }));
await step('delete', () => call('delete_document', { name: 'handbook' }));
const write = () => call('write', { name: 'notes', text: 'holidays, too' });
if (sdk === 'sdk') {
  // It refreshes in place of asking for the scope, and gives up.
  await step('unasked', write);
  delete kept.tokens.refresh_token;
  await connect();
}
await step('write', write);
await step('again', () => call('search', { text: 'holidays' }));
const before = kept.tokens?.access_token;
kept.tokens = { ...kept.tokens, access_token: 'ended' };
await step('refreshed', () => call('search', { text: 'holidays' }));
console.log('renewed', kept.tokens?.access_token !== before && kept.tokens?.access_token !== 'ended');
if (ends === 'ends') {
  console.log('sign-out');
  await told();
  await step('ended', async () => {
    for (let i = 0; i < 600; i++) {
      await call('search', { text: 'holidays' }); // refused within a second
      await new Promise((done) => setTimeout(done, 100));
    }
    return 'it goes on';
  });
}
process.exit(0);
