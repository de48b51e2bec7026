// Vercel's AI SDK, by its provider for OpenAI-compatible servers.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { apiKey, baseURL, described, run } from "./run.mjs";

const Person = z.object({ name: z.string(), age: z.number().int() });

const provider = (key = apiKey) =>
  createOpenAICompatible({
    name: "gateway",
    apiKey: key,
    baseURL,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
const effort = (reasoningEffort) => ({ providerOptions: { gateway: { reasoningEffort } } });

function weather(result, seen) {
  return tool({
    description: "The weather in a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => {
      seen.push(city);
      return result;
    },
  });
}

// The SDK gives failures to `onError`, which prints them, unless it is set.
const streaming = (options) => streamText({ ...options, onError: () => {} });

async function parts(stream) {
  const all = [];
  for await (const part of stream) {
    if (part.type === "text-delta") all.push({ type: "text", text: part.text });
    if (part.type === "reasoning-delta") all.push({ type: "reasoning", text: part.text });
    if (part.type === "error") all.push({ type: "error", error: described(part.error) });
    if (part.type === "finish") all.push({ type: "finish", reason: part.finishReason });
  }
  return all;
}

await run({
  async text({ model, prompt, key, reasoningEffort }) {
    const { text, reasoningText, finishReason, usage } = await generateText({
      model: provider(key)(model),
      prompt,
      ...effort(reasoningEffort),
    });
    return { text, reasoningText, finishReason, usage };
  },

  async stream({ model, prompt, reasoningEffort }) {
    const result = streaming({ model: provider()(model), prompt, ...effort(reasoningEffort) });
    return { parts: await parts(result.fullStream), usage: await result.usage };
  },

  async failingStream({ model, prompt }) {
    return parts(streaming({ model: provider()(model), prompt }).fullStream);
  },

  async tools({ model, prompt, result, stream }) {
    const cities = [];
    const options = {
      model: provider()(model),
      prompt,
      tools: { weather: weather(result, cities) },
      stopWhen: stepCountIs(3),
    };
    const answer = stream ? streaming(options) : await generateText(options);
    const steps = (await answer.steps).map((step) => step.finishReason);
    return { answer: await answer.text, cities, steps };
  },

  async structured({ model, prompt }) {
    const answer = await generateText({
      model: provider()(model),
      prompt,
      output: Output.object({ schema: Person }),
    });
    return answer.output;
  },

  async structuredStream({ model, prompt }) {
    const result = streaming({
      model: provider()(model),
      prompt,
      output: Output.object({ schema: Person }),
    });
    return result.output;
  },

  async generateObject({ model, prompt }) {
    return (await generateObject({ model: provider()(model), prompt, schema: Person })).object;
  },

  async image({ model, url }) {
    const content = [
      { type: "text", text: "What is this? [[sim text=seen]]" },
      { type: "image", image: url },
    ];
    return { text: (await generateText({ model: provider()(model), messages: [{ role: "user", content }] })).text };
  },

  async leave({ model, prompt }) {
    const leaving = new AbortController();
    const { textStream } = streaming({ model: provider()(model), prompt, abortSignal: leaving.signal });
    for await (const piece of textStream) {
      if (piece) leaving.abort();
    }
    return { aborted: leaving.signal.aborted };
  },
});
