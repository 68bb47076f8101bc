// The official TypeScript SDK as a client: says hello, looks around, calls some tools, and prints what it got.
//
//   node mcp_client.mjs URL TOKEN
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const [url, token] = process.argv.slice(2);
const asked = [];
const client = new Client(
  { name: 'suite', version: '1' },
  { capabilities: { sampling: {}, elicitation: { form: {} }, roots: {} } },
);
client.setRequestHandler(CreateMessageRequestSchema, async (request) => {
  asked.push(['sampling', request.params.messages?.[0]?.content?.text ?? '']);
  return { model: 'suite-model', role: 'assistant', content: { type: 'text', text: 'sampled, 536-90-4399' } };
});
client.setRequestHandler(ElicitRequestSchema, async (request) => {
  asked.push(['elicitation', request.params.message]);
  return { action: 'accept', content: { name: 'Erika' } };
});
const headers = token ? { authorization: `Bearer ${token}` } : {};
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
await client.connect(transport);

const out = { session: transport.sessionId, version: transport.protocolVersion };
const { tools } = await client.listTools();
out.tools = tools.map((tool) => tool.name);
const attempt = async (name, args, options) => {
  if (!out.tools.includes(name)) return undefined;
  try {
    const progress = [];
    const onprogress = ({ progress: step }) => progress.push(step);
    const result = await client.callTool({ name, arguments: args }, undefined, { onprogress, timeout: 60000, ...options });
    return { content: result.content, structured: result.structuredContent, isError: result.isError ?? false, progress };
  } catch (error) {
    return { error: error.message };
  }
};
out.echo = await attempt('echo', { message: 'hello 536-90-4399' });
out.search = await attempt('search', { query: 'erika' });
out.long = await attempt('trigger-long-running-operation', { duration: 1, steps: 2 });
out.sampling = await attempt('trigger-sampling-request', { prompt: 'say it', maxTokens: 10 });
out.elicitation = await attempt('trigger-elicitation-request', {});
const caps = client.getServerCapabilities() ?? {};
if (caps.resources) {
  const { resources } = await client.listResources();
  out.resources = resources.map((resource) => resource.uri);
  if (resources.length > 0) {
    const read = await client.readResource({ uri: resources[0].uri });
    out.read = read.contents.length;
  }
}
if (caps.prompts) out.prompts = (await client.listPrompts()).prompts.map((prompt) => prompt.name);
await client.ping();
out.asked = asked;
await transport.terminateSession();
await client.close();
console.log(JSON.stringify(out));
process.exit(0);
