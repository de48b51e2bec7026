// The official client for Node.

import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { apiKey, baseURL, run } from "./run.mjs";

const Person = z.object({ name: z.string(), age: z.number().int() });
const City = z.object({ city: z.string() });

const client = (options = {}) => new OpenAI({ apiKey, baseURL, ...options });
const asking = (content) => [{ role: "user", content }];

function weather(result, seen) {
  return zodFunction({
    name: "weather",
    parameters: City,
    function: ({ city }) => {
      seen.push(city);
      return result;
    },
  });
}

await run({
  async text({ model, prompt, ...more }) {
    return client().chat.completions.create({ model, messages: asking(prompt), ...more });
  },

  async badKey({ model, prompt, key }) {
    return client({ apiKey: key }).chat.completions.create({ model, messages: asking(prompt) });
  },

  async stream({ model, prompt, ...more }) {
    const stream = client().chat.completions.stream({
      model,
      messages: asking(prompt),
      stream_options: { include_usage: true },
      ...more,
    });
    const pieces = [];
    const reasoning = [];
    for await (const chunk of stream) {
      const delta = chunk.choices[0]?.delta ?? {};
      if (delta.content) pieces.push(delta.content);
      if (delta.reasoning_content) reasoning.push(delta.reasoning_content);
    }
    return { pieces, reasoning, final: await stream.finalChatCompletion() };
  },

  async tools({ model, prompt, result, stream }) {
    const cities = [];
    const runner = client().chat.completions.runTools({
      model,
      messages: asking(prompt),
      tools: [weather(result, cities)],
      stream,
    });
    return { answer: await runner.finalContent(), cities };
  },

  async structured({ model, prompt }) {
    const answer = await client().chat.completions.parse({
      model,
      messages: asking(prompt),
      response_format: zodResponseFormat(Person, "person"),
    });
    return answer.choices[0].message.parsed;
  },

  async image({ model, url }) {
    const parts = [
      { type: "text", text: "What is this? [[sim text=seen]]" },
      { type: "image_url", image_url: { url } },
    ];
    return client().chat.completions.create({ model, messages: asking(parts) });
  },

  async leave({ model, prompt }) {
    const stream = await client().chat.completions.create({ model, messages: asking(prompt), stream: true });
    for await (const chunk of stream) {
      if (chunk.choices[0].delta.content) break;
    }
    return { aborted: stream.controller.signal.aborted };
  },
});
