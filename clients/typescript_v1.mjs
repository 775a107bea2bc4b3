// The TypeScript SDK v1: sessions.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { model, run, user } from './errands.mjs';

const require = createRequire(process.env.TOOLGATE_NODE_MODULES + '/');
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { Client } = await load('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } = await load('@modelcontextprotocol/sdk/client/streamableHttp.js');
const { CreateMessageRequestSchema, ElicitRequestSchema } = await load('@modelcontextprotocol/sdk/types.js');

await run(async (url) => {
    const client = new Client(
        { name: 'typescript-v1', version: '1' },
        { capabilities: { elicitation: {}, sampling: {} } },
    );
    client.setRequestHandler(ElicitRequestSchema, user);
    client.setRequestHandler(CreateMessageRequestSchema, model);
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    return {
        names: async () => (await client.listTools()).tools.map((tool) => tool.name),
        call: (name, args, options) => client.callTool({ name, arguments: args }, undefined, options),
        close: () => client.close(),
    };
});
