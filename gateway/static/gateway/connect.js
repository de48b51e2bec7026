// The cards of clients: one at a time, and the check that makes a client's own set-up calls from this page.
// All texts come from `data-` attributes of #checks. A key lives in a variable while a check runs, and nowhere else.
"use strict";

// Cards

function chooseClient(slug) {
  document.querySelectorAll("[data-client-card]").forEach((card) => { card.hidden = card.dataset.clientCard !== slug; });
  document.querySelectorAll("[data-client]").forEach((button) => {
    button.setAttribute("aria-pressed", String(button.dataset.client === slug));
  });
  document.querySelectorAll("[data-chosen-client]").forEach((field) => { field.value = slug; });
}

// Where the page can be asked for again, its address names the client too.
function showClient(slug) {
  chooseClient(slug);
  if (document.querySelector("[data-chosen-client]")) {
    const address = new URL(location);
    address.searchParams.set("client", slug);
    address.hash = "";
    history.replaceState(history.state, "", address);
  }
}

document.addEventListener("click", (event) => {
  const choice = event.target.closest("[data-client]");
  const start = event.target.closest("[data-check-start]");
  if (choice) {
    showClient(choice.dataset.client);
  } else if (start) {
    check(start.closest("[data-check]"));
  }
});

if (document.querySelector(`[data-client="${CSS.escape(location.hash.slice(1))}"]`)) {
  showClient(location.hash.slice(1));
}

// Checks

const texts = document.getElementById("checks")?.dataset;
const MARKS = { running: "progress_activity", passed: "check_circle", failed: "cancel", waiting: "radio_button_unchecked" };

// `message` is in the page's language; `said`: the gateway's own words.
class Failed extends Error {
  constructor(message, said = "") {
    super(message);
    this.said = said;
  }
}

function post(url) {
  const token = document.querySelector("#checks [name='csrfmiddlewaretoken']").value;
  return fetch(url, { method: "POST", headers: { "x-csrftoken": token } });
}

// The key of one check: the member's own, or one that is issued now and revoked at the end.
async function borrowKey() {
  const own = document.querySelector("[data-own-key]")?.value.trim();
  if (own) {
    return { text: own, giveBack: () => {} };
  }
  let answer;
  try {
    answer = await post(texts.begin);
  } catch {
    throw new Failed(texts.unreachable);
  }
  const issued = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw new Failed(issued.error ?? texts.noKey);
  }
  return { text: issued.api_key, giveBack: () => post(texts.end.replace("/0/", `/${issued.id}/`)) };
}

async function refusal(answer) {
  const { error } = await answer.json().catch(() => ({}));
  const why = error ? ERRORS.cause(error.code) : texts.odd;
  return new Failed(`${answer.status} · ${why}`, error?.message);
}

function expect(condition, otherwise) {
  if (!condition) {
    throw new Failed(otherwise);
  }
}

// What must come, by the call's `expects`.
const EXPECTED = {
  async models(answer, call, model) {
    const body = await answer.json();
    expect(body.object === "list" && Array.isArray(body.data), texts.odd);
    expect(!model || body.data.some((each) => each.id === model), texts.noModel);
  },
  async chat(answer) {
    const body = await answer.json();
    const [choice, ...others] = body.choices ?? [];
    expect(body.object === "chat.completion" && choice?.message && choice.finish_reason && !others.length, texts.odd);
  },
  async stream(answer) {
    const blocks = (await answer.text()).split("\n\n").filter((block) => block.startsWith("data: "));
    const frames = blocks.map((block) => block.slice("data: ".length));
    const last = frames.pop();
    if (last !== "[DONE]") {
      const error = errorIn(last);
      throw error ? new Failed(ERRORS.cause(error.code), error.message) : new Failed(texts.cut);
    }
    const choices = frames.flatMap((frame) => JSON.parse(frame).choices ?? []);
    const says = ({ delta }) => delta?.content || delta?.reasoning_content || delta?.tool_calls;
    expect(choices.some(says) && choices.some((choice) => choice.finish_reason), texts.noText);
  },
  // A browser hides its own question from pages. Asked by this page, the gateway gives the same answer to all.
  async preflight(answer) {
    const allowed = (what) => answer.headers.get(`access-control-allow-${what}`)?.toLowerCase() ?? "";
    const origins = ["*", location.origin];
    const headers = ["authorization", "content-type"].every((name) => allowed("headers").includes(name));
    expect(origins.includes(allowed("origin")) && allowed("methods").includes("post") && headers, texts.noCors);
  },
};

function errorIn(frame) {
  try {
    return JSON.parse(frame).error;
  } catch {
    return undefined;
  }
}

async function makeCall(call, key, model, signal) {
  const headers = call.expects === "preflight" ? {} : { authorization: `Bearer ${key}` };
  if (call.body) {
    headers["content-type"] = "application/json";
  }
  const body = call.body ? JSON.stringify(call.body) : undefined;
  const answer = await fetch(call.path, { method: call.method, headers, body, signal, credentials: "omit" });
  if (!answer.ok) {
    throw await refusal(answer);
  }
  await EXPECTED[call.expects](answer, call, model);
}

function showCall(item, state, why = [], milliseconds = null) {
  item.className = state;
  item.querySelector(".check-mark").textContent = MARKS[state] ?? MARKS.waiting;
  item.querySelector("[data-why]").replaceChildren(...why);
  const seconds = milliseconds === null ? "" : texts.took.replace("{seconds}", (milliseconds / 1000).toFixed(1));
  item.querySelector("[data-time]").textContent = [texts[state], seconds].filter(Boolean).join(" · ");
}

function reasons(error) {
  if (!(error instanceof Failed)) {
    return [error instanceof TypeError ? texts.unreachable : texts.odd];
  }
  return error.said ? [error.message, ERRORS.said(error.said)] : [error.message];
}

// False when the call failed; a stopped check throws.
async function runCall(item, call, key, model, signal) {
  showCall(item, "running");
  const began = performance.now();
  try {
    await makeCall(call, key, model, signal);
    showCall(item, "passed", [], performance.now() - began);
    return true;
  } catch (error) {
    if (signal.aborted) {
      showCall(item, "skipped");
      throw error;
    }
    showCall(item, "failed", reasons(error), performance.now() - began);
    return false;
  }
}

function showVerdict(box, text, tone) {
  const verdict = box.querySelector("[data-verdict]");
  verdict.textContent = text;
  verdict.className = `check-verdict ${tone}`;
}

async function runAll(box, calls, items, signal) {
  const model = document.getElementById("model")?.value;
  let key;
  let passed = 0;
  try {
    key = await borrowKey();
    for (const [at, call] of calls.entries()) {
      passed += await runCall(items[at], call, key.text, model, signal);
    }
    const all = passed === calls.length;
    showVerdict(box, all ? texts.allPassed : texts.someFailed, all ? "good" : "bad");
  } catch (error) {
    showVerdict(box, signal.aborted ? texts.stopped : error.message, "bad");
  } finally {
    await key?.giveBack();
  }
}

async function check(box) {
  const calls = JSON.parse(document.getElementById(`plan-${box.dataset.check}`).textContent);
  const items = [...box.querySelectorAll("[data-call]")];
  const [start, stop] = [box.querySelector("[data-check-start]"), box.querySelector("[data-check-stop]")];
  const controller = new AbortController();
  items.forEach((item) => showCall(item, "skipped"));
  box.querySelector(".check-calls").hidden = false;
  showVerdict(box, "", "");
  start.disabled = true;
  stop.hidden = false;
  stop.onclick = () => controller.abort();
  try {
    await runAll(box, calls, items, controller.signal);
  } finally {
    start.disabled = false;
    stop.hidden = true;
  }
}
