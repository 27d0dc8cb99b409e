"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const number = (x) => (typeof x === "string" ? { nan: NaN, inf: Infinity, "-inf": -Infinity }[x] : x);
  const show = (x, digits = 6) => {
    x = number(x);
    if (Number.isNaN(x)) return "nan";
    if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
    if (Object.is(x, -0)) return "-0";
    const size = Math.abs(x);
    if (size === 0 || (size >= 1e-4 && size < 10 ** digits)) return Number(x.toPrecision(digits)).toString();
    const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
    return `${Number(mantissa)}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  };

  const unpack = ([rule, node, giver, operand, before, after, adjoint, partial, contribution, equation, reason]) =>
    ({ rule, node, giver, operand, before, after, adjoint, partial, contribution, equation, reason });
  const forward = data.forward.map(unpack);
  const sweeps = {};
  for (const [name, steps] of Object.entries(data.sweeps))
    if (typeof steps !== "string") sweeps[name] = steps.map(unpack);
    else Object.assign(document.querySelector(`option[value="${name}"]`), { disabled: true, title: steps });
  const final = new Map(sweeps.right.map((step) => [step.node, step.after]));

  let sweep = data.start.sweep, steps = [], position = 0, values = new Map(), adjoints = new Map();
  let timer = null, asking = false, tries = 0, asked = 0, known = 0;
  const labels = new Map([...document.querySelectorAll(".edge")].map((edge) => [edge, edge.querySelector("text")?.textContent]));

  const leaves = Object.keys(data.nudges).map(Number);
  const predicting = () => $("predict").checked;
  const isReverse = (at) => at >= forward.length;
  const choose = (name) => {
    sweep = name;
    steps = [...forward, ...sweeps[name]];
    $("sweep").value = name;
    $("slider").max = steps.length;
    document.body.classList.toggle("compare", name !== "right");
    $("predict").disabled = name !== "right";
    if (name !== "right") $("predict").checked = false;
  };
  const goTo = (at) => {
    const target = Math.max(0, Math.min(steps.length, at));
    while (position < target) {
      const step = steps[position];
      (isReverse(position) ? adjoints : values).set(step.node, step.after);
      position++;
    }
    while (position > target) {
      position--;
      const step = steps[position], known = isReverse(position) ? adjoints : values;
      if (step.before === null) known.delete(step.node);
      else known.set(step.node, step.before);
    }
    draw();
  };

  const mark = (element, name, on) => element && element.classList.toggle(name, on);
  const draw = () => {
    const step = position ? steps[position - 1] : null;
    data.nodes.forEach((node, i) => {
      const value = values.get(i), adjoint = adjoints.get(i);
      const box = $(`n${i}`), row = $(`r${i}`);
      if (box) {
        const texts = [...box.querySelectorAll("text")].slice(-2);
        texts[0].textContent = value === undefined ? "value not yet" : `value ${show(value, 4)}`;
        texts[1].textContent = adjoint === undefined ? "grad not yet" : `grad ${show(adjoint, 4)}`;
        mark(box, "unknown", value === undefined);
        box.setAttribute("aria-label", `${node.symbol}, ${texts[0].textContent}, ${texts[1].textContent}`);
      }
      const cells = row.children;
      cells[3].textContent = value === undefined ? "" : show(value);
      cells[4].textContent = adjoint === undefined ? "" : show(adjoint);
      cells[5].textContent = final.has(i) ? show(final.get(i)) : "";
      const wrong = adjoint !== undefined && position === steps.length && show(adjoint) !== show(final.get(i) ?? NaN);
      mark(cells[4], "differs", wrong);
      for (const element of [box, row]) {
        mark(element, "now", !!step && step.node === i);
        mark(element, "giver", !!step && step.giver === i);
      }
    });
    const passed = new Set(steps.slice(forward.length, position).map((s) => `en${s.giver}-${s.operand}`));
    for (const [edge, label] of labels) {
      const child = Number(/^en(\d+)-/.exec(edge.id)?.[1] ?? -1);
      const now = !!step && step.giver >= 0 && edge.id === `en${step.giver}-${step.operand}`;
      mark(edge, "unknown", !values.has(child));
      mark(edge, "secret", predicting() && !passed.has(edge.id));
      mark(edge, "now", now);
      if (label) edge.querySelector("text").textContent = now ? `${show(step.adjoint, 4)} × ${show(step.partial, 4)}` : label;
    }
    $("nudging").hidden = !leaves.length || predicting();
    const line = step ? data.nodes[step.giver >= 0 ? step.giver : step.node].line : -1;
    document.querySelectorAll(".source li").forEach((item, i) => mark(item, "now", i === line));
    const rule = step ? data.rules[step.rule] : "";
    $("told").textContent = step ? step.equation : "Nothing has been computed yet: press Step or the right arrow key.";
    $("why").textContent = step ? step.reason : "";
    $("rule").textContent = rule + (position === steps.length ? summary() : "");
    mark($("now"), "wrong", rule.startsWith("Wrong"));
    $("slider").value = position;
    $("slider").setAttribute("aria-valuetext", `step ${position} of ${steps.length}`);
    $("count").textContent = `${position} / ${steps.length}`;
    $("back").disabled = $("start").disabled = position === 0;
    $("step").disabled = $("end").disabled = position === steps.length;
    follow(step);
    closeQuestion();
  };
  const summary = () => {
    const wrong = data.nodes.filter((_, i) => adjoints.has(i) && show(adjoints.get(i)) !== show(final.get(i) ?? NaN));
    if (sweep === "right") return " Done: every gradient is complete.";
    if (!wrong.length) return " Done. Every gradient is right all the same: this graph does not show the fault.";
    return ` Done. Wrong: ${wrong.map((node) => node.derivative).join(", ")}.`;
  };
  const follow = (step) => {
    if (!step) return;
    for (const [frame, element] of [[$("picture"), $(`n${step.node}`)], [$("table"), $(`r${step.node}`)]]) {
      if (!element) continue;
      const at = element.getBoundingClientRect(), around = frame.getBoundingClientRect();
      const left = at.left < around.left || at.right > around.right ? at.left - around.left - around.width / 3 : 0;
      const top = at.top < around.top + 30 || at.bottom > around.bottom ? at.top - around.top - around.height / 3 : 0;
      if (frame.scrollWidth > frame.clientWidth + 2 && left && element.tagName !== "TR") frame.scrollBy({ left, behavior: calm ? "auto" : "smooth" });
      if (frame.scrollHeight > frame.clientHeight + 2 && top) frame.scrollBy({ top, behavior: calm ? "auto" : "smooth" });
    }
  };

  // --- the next step, after a question about it if the reader wants to predict -----------------

  const advance = () => {
    if (asking) return $("guess").focus();
    const next = steps[position];
    if (next && predicting() && next.giver >= 0) return ask(next);
    say("");
    goTo(position + 1);
  };
  const ask = (step) => {
    asking = true;
    tries = 0;
    const node = data.nodes[step.node], giver = data.nodes[step.giver];
    const soFar = step.before === null ? `nothing has arrived at ${node.symbol} yet` : `${node.derivative} is ${show(step.before)} so far`;
    $("asked").textContent = `${giver.symbol} = ${giver.formula} sends a contribution to its operand ${node.symbol}` +
      (giver.formula.split(node.symbol).length > 2 ? `, number ${step.operand + 1}` : "") +
      `. ${giver.derivative} is ${show(step.adjoint)}, and ${soFar}. What is ${node.derivative} after this step?`;
    $("guess").value = "";
    $("question").hidden = false;
    say("");
    $("guess").focus();
  };
  const closeQuestion = () => { asking = false; $("question").hidden = true; };
  const say = (text, good) => {
    $("verdict").textContent = text;
    $("verdict").className = text ? (good ? "good" : "bad") : "";
  };
  const settle = (text, good) => {
    asked++;
    if (good && tries === 1) known++;
    goTo(position + 1);
    say(`${text} ${known} of ${asked} right at the first try.`, good);
    $("step").focus();
  };
  const check = () => {
    const step = steps[position], wanted = number(step.after);
    const text = $("guess").value.trim().toLowerCase().replace("−", "-").replace(/^([^.]*),([^,.]*)$/, "$1.$2");
    const guess = /^(nan|-?inf)$/.test(text) ? number(text) : /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/.test(text) ? Number(text) : null;
    if (guess === null) return say("Type a number, such as -0.73.", false);
    tries++;
    if (close(guess, wanted)) return settle(`Right: ${show(wanted)}.`, true);
    if (tries === 1) { say(`Not ${show(guess)}. ${hint(step, guess)} Try again.`, false); return $("guess").select(); }
    return settle(`It is ${show(wanted)}, not ${show(guess)}. ${hint(step, guess)}`, false);
  };
  const close = (x, wanted) => Object.is(x, wanted) || x === wanted || (Number.isFinite(wanted) && Math.abs(x - wanted) <= 0.01 * Math.abs(wanted));
  const hint = (step, guess) => {
    const near = (x) => close(guess, x);
    const term = number(step.contribution), sum = number(step.after);
    if (step.before !== null && near(term)) return "That is the new contribution alone; it is added to what was there.";
    if (near(-sum)) return "The sign is wrong.";
    if (near(number(step.partial))) return "That is the local derivative; multiply it by the adjoint.";
    if (near(number(step.adjoint))) return "That is the adjoint; multiply it by the local derivative.";
    return step.before === null ? "It is adjoint × local derivative." : "It is what was there + adjoint × local derivative.";
  };

  // --- what a node's gradient is made of ----------------------------------------------------------

  const about = (i) => {
    const all = sweeps.right.filter((step) => step.node === i && step.giver >= 0);
    const parts = predicting() ? all.filter((step) => steps.indexOf(step) < position) : all;
    const { derivative, symbol } = data.nodes[i];
    if (i === data.result) return `${symbol} is the result: ${derivative} = 1.`;
    if (!all.length) return `Nothing flows back to ${symbol}.`;
    if (!parts.length) return `Nothing has arrived at ${symbol} yet.`;
    const terms = parts.map((s) => `${show(s.adjoint)} × ${show(s.partial)} from ${data.nodes[s.giver].symbol}`);
    return `${derivative} = ${terms.join(" + ")} = ${show(parts.at(-1).after)}`;
  };
  data.nodes.forEach((node, i) => {
    const box = $(`n${i}`);
    if (!box) return;
    box.setAttribute("tabindex", "0");
    box.setAttribute("role", "img");
    for (const event of ["mouseenter", "focus", "click"]) box.addEventListener(event, () => { $("node").textContent = about(i); });
  });

  // --- nudge --------------------------------------------------------------------------------------

  for (const i of leaves) $("leaf").add(new Option(data.nodes[i].symbol, i));
  const nudge = () => {
    const i = Number($("leaf").value), [amounts, results] = data.nudges[i];
    const at = Number($("nudge").value), by = number(amounts[at]), y = data.nodes[data.result];
    const actual = number(results[at]) - number(results[(results.length - 1) / 2]), predicted = number(final.get(i) ?? 0) * by;
    const leaf = data.nodes[i];
    $("nudged").textContent = `Nudge ${leaf.symbol} = ${show(leaf.value)} by ${show(by, 3)}: ${y.symbol} becomes ${show(results[at])}, ` +
      `a change of ${show(actual, 4)}. Gradient × nudge = ${show(final.get(i) ?? 0, 4)} × ${show(by, 3)} = ` +
      `${show(predicted, 4)}, ${Number.isFinite(actual - predicted) ? `off by ${show(actual - predicted, 3)}` : "which cannot be compared: it is not finite"}.`;
    $("nudge").setAttribute("aria-valuetext", `${leaf.symbol} ${by < 0 ? "minus" : "plus"} ${show(Math.abs(by), 3)}`);
  };
  const chooseLeaf = () => {
    const count = data.nudges[$("leaf").value][0].length;
    Object.assign($("nudge"), { min: 0, max: count - 1, step: 1 });
    $("nudge").value = Math.round((count - 1) * 0.55);
    nudge();
  };
  if (leaves.length) {
    $("leaf").addEventListener("change", chooseLeaf);
    $("nudge").addEventListener("input", nudge);
    chooseLeaf();
  }

  // --- controls -----------------------------------------------------------------------------------

  const stop = () => { clearInterval(timer); timer = null; $("play").textContent = "▶ Play"; $("play").setAttribute("aria-pressed", "false"); };
  const play = () => {
    if (timer) return stop();
    if (position === steps.length) goTo(0);
    $("play").textContent = "❚❚ Pause";
    $("play").setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      advance();
      if (asking || position === steps.length) stop();
    }, 900);
  };
  const halt = (action) => () => { stop(); say(""); action(); };
  $("start").addEventListener("click", halt(() => goTo(0)));
  $("back").addEventListener("click", halt(() => goTo(position - 1)));
  $("step").addEventListener("click", () => { stop(); advance(); });
  $("end").addEventListener("click", halt(() => goTo(steps.length)));
  $("play").addEventListener("click", play);
  $("slider").addEventListener("input", halt(() => goTo(Number($("slider").value))));
  $("sweep").addEventListener("change", halt(() => {
    goTo(Math.min(position, forward.length));
    choose($("sweep").value);
    draw();
  }));
  $("predict").addEventListener("change", () => { asked = known = 0; say(""); draw(); });
  $("question").addEventListener("submit", (event) => { event.preventDefault(); check(); });
  $("reveal").addEventListener("click", () => settle("", false));
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox") return;
    const keys = { ArrowRight: () => { stop(); advance(); }, ArrowLeft: halt(() => goTo(position - 1)), Home: halt(() => goTo(0)), End: halt(() => goTo(steps.length)) };
    const action = event.key === " " && !/^(BUTTON|INPUT)$/.test(event.target.tagName) ? play : keys[event.key];
    if (!action || (event.target.closest(".scroll") && event.key === " ")) return;
    event.preventDefault();
    action();
  });

  choose(data.start.sweep);
  goTo(data.start.position);
})();
