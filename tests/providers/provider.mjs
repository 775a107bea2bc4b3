// A certified OpenID provider with the clients of the tests. Prints its issuer, then serves until it is ended.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const { keys } = JSON.parse(process.argv[2]); // The public keys of the client that signs assertions.
const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const service = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  jwks: { keys: [{ ...signing, alg: 'ES256', use: 'sig', kid: 'provider' }] },
  clients: [
    { ...service, client_id: 'agent', client_secret: 'agent-secret' },
    { ...service, client_id: 'holder', client_secret: 'holder-secret', dpop_bound_access_tokens: true },
    { ...service, client_id: 'gateway', client_secret: 'gateway-secret' },
    { ...service, client_id: 'signer', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } },
  ],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  scopes: ['mcp'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async (_ctx, client) => client.clientId === 'gateway' },
    revocation: { enabled: true },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: 'mcp',
        audience: resource,
        accessTokenTTL: 300,
        accessTokenFormat: resource.endsWith('opaque') ? 'opaque' : 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
server.on('request', provider.callback());
console.log(issuer);
