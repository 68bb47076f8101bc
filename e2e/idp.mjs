// The identity provider of the suite: oidc-provider with the organisation's claims in its access tokens.
//
//   node idp.mjs PORT AUDIENCE
//
// Beside the provider's own endpoints:
//   POST /test/rotate[?drop=1]   new signing keys; the old ones stay published unless dropped
//   POST /test/sign              signs {header, claims} as they are with a key of the provider: for tokens that
//                                a sound provider would never issue
import { createServer } from 'node:http';
import { Provider, errors } from 'oidc-provider';
import { createLocalJWKSet, exportJWK, generateKeyPair, importJWK, jwtVerify, SignJWT } from 'jose';

const [port, audience] = [Number(process.argv[2]), process.argv[3]];
const issuer = `http://127.0.0.1:${port}`;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const SCOPES = 'llm:invoke tool:crm:read tool:ehr:read';

const accounts = {
  alice: { org_id: 'org_acme_corp', roles: ['analyst'], email: 'alice@acme.test', agent_tier: 'interactive' },
  bob: { org_id: 'org_acme_corp', roles: ['visitor'], email: 'bob@acme.test' },
  carol: { org_id: 'org_beta', roles: ['analyst'], email: 'carol@beta.test' },
  audra: { org_id: 'org_acme_corp', roles: ['auditor'], email: 'audra@acme.test' },
  oscar: { org_id: 'org_acme_corp', roles: ['operator'], email: 'oscar@acme.test' },
  petra: { org_id: 'org_acme_corp', roles: ['privacy'], email: 'petra@acme.test' },
  paula: { org_id: 'org_acme_corp', roles: ['privacy', 'operator'], email: 'paula@acme.test' },
  boris: { org_id: 'org_beta', roles: ['auditor', 'operator'], email: 'boris@beta.test' },
  mallory: { org_id: 'org_elsewhere', roles: ['analyst'], email: 'mallory@elsewhere.test' },
};
const service = { org_id: 'org_acme_corp', roles: ['service'], agent_tier: 'background' };

const client = (id, grants) => ({
  client_id: id,
  client_secret: `${id}-secret-of-the-suite`,
  grant_types: grants,
  response_types: grants.includes('authorization_code') ? ['code'] : [],
  redirect_uris: grants.includes('authorization_code') ? ['https://app.test/callback'] : [],
  scope: `openid ${SCOPES}`,
});
const clients = [
  client('agent-001', ['client_credentials', EXCHANGE]),
  client('agent-002', ['client_credentials', EXCHANGE]),
  client('console', ['authorization_code']),
];
// One client's tokens are signed with RSA, everybody else's with ECDSA.
const algorithmOf = (id) => (id === 'agent-002' ? 'RS256' : 'ES256');

let generation = 0;
let keys = [];
let handle;

async function freshKeys() {
  generation += 1;
  const made = [['ES256', {}], ['RS256', { modulusLength: 2048 }]];
  return Promise.all(made.map(async ([alg, options]) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true, ...options });
    return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `${alg}-${generation}` };
  }));
}

const publicKeys = () => ({ keys: keys.map(({ d, p, q, dp, dq, qi, ...open }) => open) });

function provider() {
  const actors = new WeakMap();
  const made = new Provider(issuer, {
    jwks: { keys },
    clients,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    scopes: SCOPES.split(' '),
    claims: { openid: ['sub'], email: ['email'] },
    cookies: { keys: ['cookies of the suite'] },
    pkce: { required: () => false },
    ttl: { AccessToken: 3600, ClientCredentials: 3600, IdToken: 3600, Session: 3600, Grant: 3600, Interaction: 600, AuthorizationCode: 60 },
    findAccount: (_, id) => (accounts[id] ? { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) } : undefined),
    extraTokenClaims: (_, token) => ({ ...(accounts[token.accountId] ?? service), ...actors.get(token) }),
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource, asking) => ({
          scope: SCOPES, audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: algorithmOf(asking.clientId) } },
        }),
      },
    },
  });

  // RFC 8693: the agent trades a user's token for one that names both.
  made.registerGrantType(EXCHANGE, async (ctx) => {
    const { params, client: asking } = ctx.oidc;
    let subject;
    try {
      const verified = await jwtVerify(params.subject_token ?? '', createLocalJWKSet(publicKeys()), { issuer, audience });
      subject = verified.payload;
    } catch {
      throw new errors.InvalidGrant('subject_token is not valid here');
    }
    const token = new made.AccessToken({
      accountId: subject.sub, client: asking, scope: params.scope ?? subject.scope, gty: EXCHANGE,
      grantId: `exchange-${subject.jti}`,
    });
    token.resourceServer = new made.ResourceServer(audience, {
      scope: SCOPES, audience, accessTokenFormat: 'jwt', jwt: { sign: { alg: algorithmOf(asking.clientId) } },
    });
    actors.set(token, { act: { sub: asking.clientId, ...(subject.act && { act: subject.act }) } });
    ctx.body = {
      access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    };
  }, ['subject_token', 'subject_token_type', 'scope', 'resource']);
  return made;
}

async function rotate(drop) {
  keys = [...(await freshKeys()), ...(drop ? [] : keys)];
  handle = provider().callback();
}

const body = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString() || '{}');
};

const answer = (response, status, value) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
};

let fetches = 0;
await rotate(true);
createServer(async (request, response) => {
  const url = new URL(request.url, issuer);
  try {
    if (url.pathname === '/jwks') fetches += 1;
    if (request.method === 'POST' && url.pathname === '/test/rotate') {
      await rotate(url.searchParams.has('drop'));
      answer(response, 200, { kids: keys.map((key) => key.kid) });
    } else if (request.method === 'POST' && url.pathname === '/test/sign') {
      const { header = {}, claims } = await body(request);
      const key = keys.find((held) => held.alg === (header.alg ?? 'ES256'));
      const signer = new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header });
      const crit = Object.fromEntries((header.crit ?? []).map((name) => [name, true]));
      answer(response, 200, { token: await signer.sign(await importJWK(key, key.alg), { crit }) });
    } else if (url.pathname === '/test/fetches') {
      answer(response, 200, { jwks: fetches });
    } else {
      handle(request, response);
    }
  } catch (error) {
    answer(response, 500, { error: String(error) });
  }
}).listen(port, '127.0.0.1');
