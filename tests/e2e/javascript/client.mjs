// What an application does with OpenAI's JavaScript library, and what it sees of it: one JSON object on standard output.
//
//     node client.mjs http://127.0.0.1:8888 MODEL [--faulty]
//
// --faulty: the engines are doubles that break on request, so that broken streams are tried as well.

import OpenAI from 'openai';

const [url, model, ...flags] = process.argv.slice(2);
const ai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused', maxRetries: 0, timeout: 60_000 });
const hello = [{ role: 'user', content: 'Say hello.' }];

/** What went wrong, as the library tells it; null when nothing did. */
async function failure(act) {
  try {
    await act();
    return null;
  } catch (error) {
    const { name } = error.constructor;
    return { name, status: error.status ?? null, code: error.code ?? null, message: error.message, id: error.requestID ?? null };
  }
}

async function models() {
  const ids = [];
  for await (const each of ai.models.list()) ids.push(each.id);
  const one = await ai.models.retrieve(model);
  return { ids, one: one.id, owner: one.owned_by };
}

async function whole() {
  const { data, request_id } = await ai.chat.completions.create({ model, messages: hello, max_tokens: 4 }).withResponse();
  return { content: data.choices[0].message.content, usage: data.usage, id: request_id };
}

async function streamed() {
  const stream = await ai.chat.completions.create({
    model, messages: hello, max_tokens: 4, stream: true, stream_options: { include_usage: true },
  });
  let content = '', chunks = 0, usage = null, finish = null;
  for await (const chunk of stream) {
    chunks += 1;
    content += chunk.choices[0]?.delta?.content ?? '';
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  return { content, chunks, usage, finish };
}

/** Leaves after the second chunk: how many came, and that the library is content. */
async function left() {
  const stream = await ai.chat.completions.create({ model, messages: hello, max_tokens: 1500, stream: true });
  let chunks = 0;
  for await (const _ of stream) {
    chunks += 1;
    if (chunks === 2) stream.controller.abort();
  }
  return { chunks, aborted: stream.controller.signal.aborted };
}

async function broken() {
  let chunks = 0;
  const error = await failure(async () => {
    const asked = { model, messages: hello, max_tokens: 50, stream: true };
    const stream = await ai.chat.completions.create(asked, { headers: { 'x-sim-fault': 'reset;after=3' } });
    for await (const _ of stream) chunks += 1;
  });
  return { chunks, error };
}

const many = Array.from({ length: 8 }, () => ai.chat.completions.create({ model, messages: hello, max_tokens: 2 }));
const told = {
  models: await models(),
  whole: await whole(),
  streamed: await streamed(),
  at_once: (await Promise.all(many)).length,
  completion: (await ai.completions.create({ model, prompt: 'A brick', max_tokens: 2 })).choices.length,
  left: await left(),
  unknown_model: await failure(() => ai.chat.completions.create({ model: 'nowhere', messages: hello })),
  no_messages: await failure(() => ai.chat.completions.create({ model, messages: [] })),
  no_input: await failure(() => ai.embeddings.create({ model })),
  unknown_path: await failure(() => ai.moderations.create({ model, input: 'a' })),
};
if (flags.includes('--faulty')) told.broken = await broken();
console.log(JSON.stringify(told));
