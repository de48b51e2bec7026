// The live view of a login: pictures come over a WebSocket, the member's acts go back. Places are fractions of the
// picture. All words come from the server or from the page's `data-` attributes.
"use strict";

(() => {
  const box = document.querySelector("[data-live]");
  if (!box) {
    return;
  }
  const part = (name) => box.querySelector(`[data-live-${name}]`);
  const screen = part("screen");
  const canvas = part("canvas");
  const picture = canvas.getContext("2d");
  const KEYS = new Set(["Enter", "Tab", "Backspace", "Delete", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);
  const SEEN = "seen";
  const LONGEST_TEXT = 200;
  const HELD_MOVE_MS = 30;
  const FREE_MOVE_MS = 120;
  const DOUBLE_CLICK_MS = 400;
  const SIGNED_OUT = 4401;
  const MOST_TRIES = 10;
  const SHARPEST = 2;
  let socket = null;
  let ended = false;
  let wait = 500;
  let tries = 0;

  // The way to the server

  function send(act) {
    if (socket?.readyState === WebSocket.OPEN) {
      socket.send(typeof act === "string" ? act : JSON.stringify(act));
    }
  }

  function open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}${box.dataset.url}`);
    socket.binaryType = "blob";
    socket.addEventListener("open", opened);
    socket.addEventListener("message", ({ data }) => (typeof data === "string" ? hear(JSON.parse(data)) : draw(data)));
    socket.addEventListener("close", closed);
  }

  function opened() {
    wait = 500;
    tries = 0;
    part("lost").hidden = true;
    sayRoom();
  }

  // A browser does not tell a server that is away from one that refuses: in the end the page is to be loaded anew.
  function closed(event) {
    if (ended || event.code === 1000) {
      return;
    }
    if (event.code === SIGNED_OUT) {
      location.reload();
      return;
    }
    tries += 1;
    const lost = part("lost");
    lost.hidden = false;
    lost.textContent = tries > MOST_TRIES ? lost.dataset.over : lost.dataset.again;
    if (tries <= MOST_TRIES) {
      setTimeout(() => !ended && open(), wait);
      wait = Math.min(4000, wait * 2);
    }
  }

  // How much room there is for the picture: the gateway's browser makes its window about as large.
  function sayRoom() {
    const within = (size) => Math.round(Math.max(320, Math.min(1600, size)));
    widthSaid = screen.clientWidth;
    const ratio = Math.max(1, Math.min(SHARPEST, window.devicePixelRatio || 1));
    send({ type: "size", width: within(screen.clientWidth), height: within(window.innerHeight * 0.72), ratio });
  }

  // A turned phone or a new window size. A keyboard that comes up changes the height alone, and nothing is asked for.
  let widthSaid = 0;
  let sizeTimer = 0;
  new ResizeObserver(() => {
    clearTimeout(sizeTimer);
    if (widthSaid && screen.clientWidth !== widthSaid) {
      sizeTimer = setTimeout(sayRoom, 300);
    }
  }).observe(screen);

  async function draw(data) {
    try {
      const image = await createImageBitmap(data);
      if (gone) {
        return;
      }
      if (canvas.width !== image.width || canvas.height !== image.height) {
        [canvas.width, canvas.height] = [image.width, image.height];
      }
      picture.drawImage(image, 0, 0);
      image.close();
      canvas.hidden = !box.classList.contains("asking");
      part("idle").hidden = !canvas.hidden;
    } finally {
      send(SEEN);
    }
  }

  // What stands beside the picture: a box of the page's own, whether there is more to the right, whether it is over

  const GOES_BY_ITSELF_MS = 2000;
  let dialog = null;
  let gone = false;

  function hear(said) {
    for (const button of box.querySelectorAll("[data-live-wide]")) {
      button.hidden = !said.is_wide;
    }
    showDialog(said.dialog ?? null);
    if (said.is_gone) {
      gone = true;
      showNothing();
      // A login that has come to its end says so in a moment.
      setTimeout(() => {
        part("asked").textContent = ended ? "" : part("asked").dataset.gone;
      }, GOES_BY_ITSELF_MS);
    }
  }

  function showDialog(opened) {
    const asking = part("dialog");
    if (opened?.number === dialog?.number) {
      return;
    }
    const held = asking.contains(document.activeElement);
    dialog = opened;
    asking.hidden = !opened;
    if (!opened) {
      if (held) {
        screen.focus({ preventScroll: true });
      }
      return;
    }
    part("dialog-text").textContent = opened.text;
    part("dialog-answer").hidden = opened.kind !== "prompt";
    part("dialog-input").value = opened.default;
    part("dialog-cancel").hidden = opened.kind === "alert";
    // Not a button: somebody may be typing, and the next key would press it unread.
    (opened.kind === "prompt" ? part("dialog-input") : asking).focus();
  }

  function answer(accept) {
    const text = dialog.kind === "prompt" && accept ? withoutControls(part("dialog-input").value) : "";
    send({ type: "answer", number: dialog.number, accept, text });
    showDialog(null);
  }

  part("dialog-form").addEventListener("submit", (event) => {
    event.preventDefault();
    answer(true);
  });
  part("dialog-cancel").addEventListener("click", () => answer(false));
  part("dialog").addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) {
      event.preventDefault();
      answer(false);
    }
  });

  // Nothing is left of a page that is over.
  function showNothing() {
    picture.clearRect(0, 0, canvas.width, canvas.height);
    canvas.hidden = true;
    part("idle").hidden = false;
  }

  // Hands: mouse and finger alike

  let moving = null;
  let moveTimer = 0;
  let held = null;
  let lastPress = { at: 0, x: 0, y: 0, clicks: 0 };

  function place(event) {
    const area = canvas.getBoundingClientRect();
    const within = (value) => Math.max(0, Math.min(1, value));
    return { x: within((event.clientX - area.left) / area.width), y: within((event.clientY - area.top) / area.height) };
  }

  function flushMove() {
    clearTimeout(moveTimer);
    moveTimer = 0;
    if (moving) {
      send({ type: "move", ...moving });
      moving = null;
    }
  }

  function clicksOf(event) {
    const near = Math.hypot(event.clientX - lastPress.x, event.clientY - lastPress.y) < 6;
    const quick = event.timeStamp - lastPress.at < DOUBLE_CLICK_MS;
    const clicks = near && quick ? Math.min(3, lastPress.clicks + 1) : 1;
    lastPress = { at: event.timeStamp, x: event.clientX, y: event.clientY, clicks };
    return clicks;
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || held !== null) {
      return;
    }
    event.preventDefault();
    screen.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    held = event.pointerId;
    moving = place(event);
    flushMove();
    send({ type: "press", ...place(event), clicks: clicksOf(event) });
  });

  canvas.addEventListener("pointermove", (event) => {
    if (held !== null && event.pointerId !== held) {
      return;
    }
    moving = place(event);
    moveTimer ||= setTimeout(flushMove, held === null ? FREE_MOVE_MS : HELD_MOVE_MS);
  });

  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      if (event.pointerId !== held) {
        return;
      }
      held = null;
      moving = place(event);
      flushMove();
      send({ type: "release", ...place(event), clicks: lastPress.clicks || 1 });
    });
  }

  // The page itself scrolls as ever, unless the picture has been chosen.
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== screen) {
      return;
    }
    event.preventDefault();
    const within = (value) => Math.max(-2000, Math.min(2000, value));
    send({ type: "wheel", ...place(event), dx: within(event.deltaX), dy: within(event.deltaY) });
  }, { passive: false });

  // Keys

  function withoutControls(text) {
    return text.replace(/[\u0000-\u001f\u007f]/g, "");
  }

  function type(text) {
    const clean = withoutControls(text);
    for (let at = 0; at < clean.length; at += LONGEST_TEXT) {
      send({ type: "text", text: clean.slice(at, at + LONGEST_TEXT) });
    }
  }

  screen.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      screen.blur();
      return;
    }
    if (event.isComposing || event.altKey) {
      return;
    }
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() === "a") {
        event.preventDefault();
        send({ type: "key", name: "SelectAll" });
      }
      return;
    }
    if (event.key === "Enter" && event.repeat) {
      // Still held down from somewhere else, perhaps.
      event.preventDefault();
    } else if (KEYS.has(event.key)) {
      event.preventDefault();
      send({ type: "key", name: event.key, shift: event.shiftKey });
    } else if ([...event.key].length === 1) {
      event.preventDefault();
      type(event.key);
    }
  });

  document.addEventListener("paste", (event) => {
    if (document.activeElement === screen) {
      event.preventDefault();
      type(event.clipboardData.getData("text/plain"));
    }
  });

  part("typing").addEventListener("submit", (event) => {
    event.preventDefault();
    type(part("text").value);
    part("text").value = "";
  });

  box.addEventListener("click", (event) => {
    const key = event.target.closest("[data-live-key]");
    const scroll = event.target.closest("[data-live-scroll]");
    const mask = event.target.closest("[data-live-mask]");
    if (key) {
      send({ type: "key", name: key.dataset.liveKey });
    } else if (scroll) {
      const [dx, dy] = scroll.dataset.liveScroll.split(" ").map(Number);
      send({ type: "wheel", x: 0.5, y: 0.5, dx, dy });
    } else if (mask) {
      const masked = mask.getAttribute("aria-pressed") !== "true";
      mask.setAttribute("aria-pressed", String(masked));
      // It stays a text: browsers would fill in, or store, the password of this site otherwise.
      part("text").classList.toggle("masked", masked);
    } else if (event.target.closest("[data-live-stop]") && window.confirm(part("stop").dataset.sure)) {
      send({ type: "stop" });
    }
  });

  // What the progress of the login says: asked of whom, how long still, how it ended

  let endsAt = null;

  function showTime() {
    const left = Math.max(0, Math.round((endsAt - performance.now()) / 1000));
    const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    part("time").textContent = part("time").dataset.words.replace("%(time)s", time);
  }

  function show(progress) {
    const login = progress.login;
    if (!login || login.id !== box.dataset.login || login.outcome) {
      end(login?.id === box.dataset.login ? login : null);
      return;
    }
    const asked = part("asked");
    asked.textContent = login.asked || login.line || (login.waiting ? asked.dataset.waiting : asked.dataset.working);
    if (login.asked && !box.classList.contains("asking")) {
      // Said when the socket opened, it may have come before there was a browser to hear it.
      sayRoom();
    }
    box.classList.toggle("asking", Boolean(login.asked));
    if (!login.asked) {
      showNothing();
    }
    if (login.seconds_left !== null && endsAt === null) {
      endsAt = performance.now() + login.seconds_left * 1000;
      part("time").hidden = false;
      showTime();
      setInterval(showTime, 1000);
    }
  }

  function end(login) {
    ended = true;
    socket.close();
    const good = login?.outcome?.tone === "good";
    const held = document.activeElement === document.body || box.contains(document.activeElement);
    for (const name of ["screen", "dialog", "typing", "stop", "time", "asked"]) {
      part(name).hidden = true;
    }
    document.getElementById("live-help").hidden = true;
    part("good").hidden = !good;
    part("bad").hidden = good;
    part("message").textContent = login?.message ?? "";
    part("end").hidden = false;
    if (held) {
      // What had the focus is gone: the end gets it, and is read.
      part("end").focus();
    }
  }

  box.addEventListener("login-progress", (event) => !ended && show(event.detail));
  open();
})();
