// The TypeScript SDK v2, which finds out what a server speaks.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { model, run, user } from './errands.mjs';

const require = createRequire(process.env.TOOLGATE_NODE_MODULES + '/');
const { Client, StreamableHTTPClientTransport } = await import(
    pathToFileURL(require.resolve('@modelcontextprotocol/client'))
);

await run(async (url) => {
    const client = new Client(
        { name: 'typescript-v2', version: '1' },
        { versionNegotiation: { mode: 'auto' }, capabilities: { elicitation: { form: {} }, sampling: {} } },
    );
    client.setRequestHandler('elicitation/create', user);
    client.setRequestHandler('sampling/createMessage', model);
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    return {
        names: async () => (await client.listTools()).tools.map((tool) => tool.name),
        call: (name, args, options) => client.callTool({ name, arguments: args }, options),
        close: () => client.close(),
    };
});
