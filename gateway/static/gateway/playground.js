// A chat in the page. The conversation lives in `turns` and in the page alone; nothing is stored.
// Texts come from the `data-` attributes of #playground.
"use strict";

const RENDER_EVERY_MS = 100;
const TELL_EVERY_MS = 4000;
const NEAR_THE_END = 120;

const chat = document.getElementById("playground");
const texts = chat?.dataset;
const turns = [];
let running = null;

const part = (name) => chat.querySelector(`[data-${name}]`);
const field = (name) => document.getElementById(`chat-${name}`);

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function make(name, className, ...children) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

function keepAtTheEnd(change) {
  const page = document.documentElement;
  const near = page.scrollHeight - page.scrollTop - page.clientHeight < NEAR_THE_END;
  change();
  if (near) {
    page.scrollTop = page.scrollHeight;
  }
}

// What is asked

function modelCan(what) {
  return what in field("model").selectedOptions[0].dataset;
}

function showWhatTheModelCan() {
  chat.querySelectorAll("[data-for]").forEach((each) => { each.hidden = !modelCan(each.dataset.for); });
}

function requestBody() {
  const body = { model: field("model").value, messages: turns, stream: true, stream_options: { include_usage: true } };
  const temperature = Number(field("temperature").value);
  if (temperature !== 1) {
    body.temperature = temperature;
  }
  if (modelCan("online") && field("online").checked) {
    body.web_search_options = {};
  }
  if (modelCan("thinking") && field("effort").value) {
    body.reasoning_effort = field("effort").value;
  }
  return body;
}

// What comes

// `message` is in the page's language; `said`: the gateway's own words.
class Told extends Error {
  constructor(message, code, said = "") {
    super(message);
    this.code = code;
    this.said = said;
  }

  static by(error) {
    return new Told(ERRORS.cause(error.code), error.code, error.message);
  }
}

async function ask(signal) {
  const headers = {
    "content-type": "application/json",
    "x-csrftoken": chat.querySelector("[name='csrfmiddlewaretoken']").value,
  };
  let answer;
  try {
    answer = await fetch(texts.url, { method: "POST", headers, body: JSON.stringify(requestBody()), signal });
  } catch (error) {
    throw signal.aborted ? error : new Told(texts.offline, "school_unreachable");
  }
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}));
    throw body.error ? Told.by(body.error) : new Told(filled(texts.odd, { status: answer.status }));
  }
  return answer;
}

// The stream's frames as objects. Ends after `[DONE]`; throws when the stream ends without it.
async function* frames(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      throw new Told(texts.broken, "school_error");
    }
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks.filter((each) => each.startsWith("data: "))) {
      const data = block.slice("data: ".length);
      if (data === "[DONE]") {
        return;
      }
      yield JSON.parse(data);
    }
  }
}

// One answer in the page: reasoning, text, an error, times and tokens.
class AnswerView {
  constructor(model) {
    this.began = performance.now();
    this.text = "";
    this.thought = "";
    this.first = null;
    this.usage = null;
    this.finish = null;
    this.due = null;
    this.waiting = make("p", "waiting", texts.waiting);
    this.prose = make("div", "answer");
    this.root = make("article", "turn theirs", make("h2", "turn-name", model), this.waiting, this.prose);
    this.root.setAttribute("aria-label", model);
  }

  take(frame) {
    if (frame.error) {
      throw Told.by(frame.error);
    }
    this.usage = frame.usage ?? this.usage;
    const choice = frame.choices[0];
    if (!choice) {
      return;
    }
    this.finish = choice.finish_reason ?? this.finish;
    this.thought += choice.delta.reasoning_content ?? "";
    this.text += choice.delta.content ?? "";
    if (this.thought || this.text) {
      this.first ??= performance.now();
      this.due ??= setTimeout(() => this.draw(), RENDER_EVERY_MS);
    }
  }

  draw() {
    clearTimeout(this.due);
    this.due = null;
    keepAtTheEnd(() => {
      this.waiting.hidden = Boolean(this.thought || this.text);
      if (this.thought) {
        this.drawThought();
      }
      this.prose.replaceChildren(...MARKDOWN.render(this.text));
    });
  }

  drawThought() {
    if (!this.fold) {
      this.fold = make("details", "reasoning", make("summary", ""), make("div", ""));
      this.prose.before(this.fold);
    }
    this.fold.firstChild.textContent = this.text ? texts.reasoning : texts.reasoningNow;
    this.fold.lastChild.textContent = this.thought;
  }

  // What is left to say: a stop, a failure, an answer that is not whole; then times and tokens.
  end(stopped, failure, ignored) {
    this.draw();
    this.waiting.remove();
    if (stopped) {
      this.note(texts.stopped);
    } else if (failure) {
      this.fail(failure instanceof Told ? failure : new Told(texts.broken, "school_error"));
    } else if (this.finish === "length") {
      this.note(texts.cut);
    } else if (this.finish === "content_filter") {
      this.note(texts.filtered);
    } else if (!this.text) {
      this.note(texts.empty);
    }
    this.root.append(this.foot(ignored));
  }

  foot(ignored) {
    const seconds = (until) => ((until - this.began) / 1000).toFixed(1);
    const facts = [];
    if (this.text) {
      facts.push(copyButton(() => this.text));
    }
    if (this.first) {
      facts.push(make("span", "", filled(texts.first, { seconds: seconds(this.first) })));
    }
    facts.push(make("span", "", filled(texts.total, { seconds: seconds(performance.now()) })));
    if (this.usage) {
      const counts = { prompt: this.usage.prompt_tokens, completion: this.usage.completion_tokens };
      facts.push(make("span", "", (this.usage.estimated ? "≈ " : "") + filled(texts.tokens, counts)));
    }
    if (ignored) {
      facts.push(make("span", "", filled(texts.ignored, { names: ignored })));
    }
    return make("div", "turn-foot", ...facts);
  }

  note(text) {
    this.root.append(make("p", "notice warn", text));
  }

  fail(error) {
    const box = make("div", "notice bad", make("span", "", error.message));
    box.setAttribute("role", "alert");
    if (error.said) {
      box.append(ERRORS.said(error.said));
    }
    const help = error.code && chat.querySelector(`template[data-help~="${CSS.escape(error.code)}"]`);
    if (help) {
      box.append(help.content.cloneNode(true));
    }
    this.root.append(box);
  }
}

function copyButton(text) {
  const label = make("span", "", texts.labelCopy);
  const button = make("button", "button quiet small", label);
  button.type = "button";
  button.addEventListener("click", async () => {
    if (await copyText(text())) {
      label.textContent = texts.labelCopied;
      setTimeout(() => { label.textContent = texts.labelCopy; }, 2000);
    }
  });
  return button;
}

// What screen readers are told: the new text every few seconds, not every piece of it.
class Teller {
  constructor(view) {
    this.view = view;
    this.told = 0;
    part("told").textContent = texts.writing;
    this.timer = setInterval(() => this.tell(), TELL_EVERY_MS);
  }

  tell() {
    const fresh = this.view.text.slice(this.told);
    const whole = fresh.slice(0, fresh.search(/[.!?。！？\n][^.!?。！？\n]*$/) + 1);
    if (whole) {
      this.told += whole.length;
      part("told").textContent = whole;
    }
  }

  end(last) {
    clearInterval(this.timer);
    part("told").textContent = `${this.view.text.slice(this.told)} ${last}`.trim();
  }
}

// One question and its answer

function showQuestion(text) {
  part("start").hidden = true;
  const name = make("span", "visually-hidden", texts.you);
  part("log").append(make("article", "turn mine", name, make("div", "bubble", text)));
}

function setRunning(controller) {
  running = controller;
  part("send").hidden = Boolean(controller);
  part("stop").hidden = !controller;
}

async function answerTurns() {
  const controller = new AbortController();
  const view = new AnswerView(field("model").selectedOptions[0].textContent);
  keepAtTheEnd(() => part("log").append(view.root));
  document.documentElement.scrollTop = document.documentElement.scrollHeight;
  setRunning(controller);
  const teller = new Teller(view);
  let ignored = "";
  let failure = null;
  try {
    const answer = await ask(controller.signal);
    ignored = answer.headers.get("x-gateway-ignored-parameters") ?? "";
    for await (const frame of frames(answer)) {
      view.take(frame);
    }
  } catch (error) {
    failure = error;
  }
  if (running === controller) {
    keepAtTheEnd(() => finish(view, teller, failure, controller.signal.aborted, ignored));
  } else {
    teller.end("");
  }
}

function finish(view, teller, failure, stopped, ignored) {
  setRunning(null);
  view.end(stopped, failure, ignored);
  teller.end(stopped ? texts.stopped : failure ? "" : texts.done);
  // What came of an answer goes on with the conversation; a question without one is asked again or taken back.
  if (view.text) {
    turns.push({ role: "assistant", content: view.text });
  }
  field("text").focus({ preventScroll: true });
}

function send() {
  const text = field("text").value.trim();
  if (!text || running) {
    return;
  }
  takeBackUnanswered();
  part("log").querySelectorAll("[data-again]").forEach((button) => button.remove());
  turns.push({ role: "user", content: text });
  showQuestion(text);
  field("text").value = "";
  grow();
  answerTurns();
}

// Two questions in a row would be one conversation that never was.
function takeBackUnanswered() {
  if (turns.at(-1)?.role === "user") {
    turns.pop();
  }
}

function askAgain(button) {
  if (!running && turns.at(-1)?.role === "user") {
    button.closest(".turn").remove();
    answerTurns();
  }
}

function newChat() {
  const stopped = running;
  setRunning(null);
  stopped?.abort();
  turns.length = 0;
  part("log").querySelectorAll(".turn").forEach((turn) => turn.remove());
  part("told").textContent = "";
  part("start").hidden = false;
  field("text").focus();
}

function grow() {
  const area = field("text");
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + 2}px`;
}

function begin() {
  showWhatTheModelCan();
  field("model").addEventListener("change", showWhatTheModelCan);
  field("temperature").addEventListener("input", () => {
    part("temperature").textContent = Number(field("temperature").value).toFixed(1);
  });
  field("text").addEventListener("input", grow);
  field("text").addEventListener("keydown", (event) => {
    // While an input method composes, Enter takes its suggestion.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    }
  });
  part("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  part("stop").addEventListener("click", () => running?.abort());
  document.querySelector("[data-new-chat]").addEventListener("click", newChat);
  chat.addEventListener("click", (event) => {
    const again = event.target.closest("[data-again]");
    if (again) {
      askAgain(again);
    }
  });
  field("text").focus();
}

if (chat) {
  begin();
}
