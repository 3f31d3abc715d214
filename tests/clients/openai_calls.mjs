// What the openai package for Node makes of the proxy: one JSON line for each call.
import OpenAI from "openai";

const { BASE_URL, API_KEY, MODEL } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0, timeout: 15_000 });
const text = "Say something.";
const messages = [{ role: "user", content: text }];
const parameters = { type: "object", properties: { city: { type: "string" } } };
const weather = { name: "weather", parameters };
const says = (step, said) => console.log(JSON.stringify({ step, ...said }));
const commanded = (behaviour) => ({ headers: { "x-demo-behaviour": behaviour } });

async function failure(call) {
  try {
    await call();
    return { name: null };
  } catch (error) {
    return { name: error.constructor.name, status: error.status ?? null, code: error.code ?? null };
  }
}

async function readAll(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

const response = await client.responses.create({ model: MODEL, input: text });
says("response", { text: response.output_text, total: response.usage.total_tokens });

const events = await readAll(await client.responses.create({ model: MODEL, input: text, stream: true }));
says("streamed response", { last: events.at(-1).type, total: events.at(-1).response.usage.total_tokens });

const chat = await client.chat.completions.create({ model: MODEL, messages });
says("chat", { text: chat.choices[0].message.content, total: chat.usage.total_tokens });

const chunks = await readAll(await client.chat.completions.create({ model: MODEL, messages, stream: true }));
says("streamed chat", {
  finish: chunks.at(-1).choices[0].finish_reason,
  usages: chunks.filter((chunk) => "usage" in chunk).length,
});

const asked = { model: MODEL, messages, stream: true, stream_options: { include_usage: true } };
const shown = await readAll(await client.chat.completions.create(asked));
says("streamed chat with usage", { total: shown.at(-1).usage.total_tokens });

const calls = commanded('tool;arguments={"city": "Rome"}');
const tool = { model: MODEL, input: text, tools: [{ type: "function", strict: false, ...weather }] };
const called = await client.responses.create(tool, calls);
says("response with a tool", { name: called.output[0].name, arguments: called.output[0].arguments });

const chatTool = { model: MODEL, messages, tools: [{ type: "function", function: weather }] };
const chatCalled = await client.chat.completions.stream(chatTool, calls).finalChatCompletion();
says("streamed chat with a tool", chatCalled.choices[0].message.tool_calls[0].function);

const wrong = new OpenAI({ baseURL: BASE_URL, apiKey: "sk-wrong", maxRetries: 0 });
says("wrong key", await failure(() => wrong.chat.completions.create({ model: MODEL, messages })));

const broken = commanded("cut;after=3");
says("broken chat", await failure(async () => readAll(await client.chat.completions.create(asked, broken))));

says("overloaded", await failure(() => client.chat.completions.create({ model: MODEL, messages }, commanded("503"))));
