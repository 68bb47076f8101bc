// The `openai` and `@anthropic-ai/sdk` packages, unchanged, by base URL alone. One case by name; what came of it goes
// to stdout as JSON.
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

const [base, token, name] = process.argv.slice(2);
const openai = new OpenAI({ baseURL: `${base}/v1`, apiKey: token, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: base, apiKey: token, maxRetries: 0 });
const messages = (content) => [{ role: 'user', content }];

const cases = {
  async chat() {
    const reply = await openai.chat.completions.create({ model: 'gpt-4o-mini', messages: messages('say hello') });
    return { text: reply.choices[0].message.content };
  },
  async response() {
    const reply = await openai.responses.create({ model: 'gpt-5-mini', input: 'say hello' });
    return { text: reply.output_text };
  },
  async responseStream() {
    const stream = openai.responses.stream({ model: 'gpt-5-mini', input: 'tell me the numbers' });
    let text = '';
    stream.on('response.output_text.delta', (event) => { text += event.delta; });
    const final = await stream.finalResponse();
    return { text, final: final.output_text };
  },
  async retrieve() {
    const made = await openai.responses.create({ model: 'scripted-gpt', input: 'hello', background: true });
    return { text: (await openai.responses.retrieve(made.id)).output_text };
  },
  async embeddings() {
    const reply = await openai.embeddings.create({ model: 'scripted-embed', input: 'hello', encoding_format: 'float' });
    return { values: reply.data[0].embedding };
  },
  async message() {
    const reply = await anthropic.messages.create({ model: 'claude-sonnet-4-5', max_tokens: 256, messages: messages('say hello') });
    return { text: reply.content[0].text };
  },
  async messageStream() {
    const stream = anthropic.messages.stream({ model: 'claude-sonnet-4-5', max_tokens: 256, messages: messages('tell me the numbers') });
    let text = '';
    stream.on('text', (delta) => { text += delta; });
    const final = await stream.finalText();
    return { text, final };
  },
  async countTokens() {
    const counted = await anthropic.messages.countTokens({ model: 'scripted-claude', messages: messages('hello') });
    return { tokens: counted.input_tokens };
  },
  async denied() {
    try {
      await openai.responses.create({ model: 'gpt-secret', input: 'hello' });
      return {};
    } catch (error) {
      return { status: error.status, code: error.code, name: error.constructor.name };
    }
  },
};

process.stdout.write(JSON.stringify(await cases[name]()));
