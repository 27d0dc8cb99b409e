"use strict";
// A stepper through a computation: root holds the html of views[chosen], the others can be chosen.
globalThis.mountStepper = (root, views, chosen = 0) => {
  root.unmount?.();
  const data = views[chosen].data, mounted = new AbortController(), { signal } = mounted;
  root.unmount = () => { clearInterval(timer); mounted.abort(); };
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const all = (selector) => [...root.querySelectorAll(selector)];
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const SVG = "http://www.w3.org/2000/svg";

  // --- numbers ------------------------------------------------------------------------------------

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
  const minus = (text) => text.replace(/^-/, "−");
  const brief = (x, digits = 4) => minus(show(x, show(x, digits).includes("e") ? 2 : digits));
  const sign = (x) => ((x = number(x)), x > 0 ? "positive" : x < 0 ? "negative" : "zero");

  // --- the steps ----------------------------------------------------------------------------------

  const unpack = ([rule, node, giver, operand, before, after, adjoint, partial, contribution, equation, reason]) =>
    ({ rule, node, giver, operand, before, after, adjoint, partial, contribution, equation, reason });
  const forward = data.forward.map(unpack);
  const sweeps = {};
  for (const [name, steps] of Object.entries(data.sweeps))
    if (typeof steps !== "string") sweeps[name] = steps.map(unpack);
    else Object.assign(root.querySelector(`option[value="${name}"]`), { disabled: true, title: steps });
  const final = new Map(sweeps.right.map((step) => [step.node, step.after]));
  const nodes = data.nodes;

  let sweep = data.start.sweep, steps = [], position = 0, values = new Map(), adjoints = new Map(), stops = [];
  let timer = null, asking = false, tries = 0, asked = 0, known = 0, moved = null, flight = 0;
  const predicting = () => part("predict").checked;
  const nudging = () => part("nudge").getAttribute("aria-pressed") === "true";
  const isReverse = (at) => at >= forward.length;

  // Where a step of the chosen size may end: always at the ends of the sweeps.
  const findStops = () => {
    const grain = part("grain").value;
    const group = (at) => {
      const step = steps[at], back = isReverse(at);
      if (!back && !nodes[step.node].formula) return "inputs";
      if (grain === "edge") return at;
      if (grain === "sweep") return back;
      const from = step.giver >= 0 ? step.giver : step.node;
      return `${back} ${step.rule === "seed"} ${grain === "node" ? from : nodes[from].column}`;
    };
    stops = steps.map((_, at) => at + 1).filter((at) => at === steps.length || group(at) !== group(at - 1));
  };
  const choose = (name) => {
    sweep = name;
    steps = [...forward, ...sweeps[name]];
    part("sweep").value = name;
    part("slider").max = steps.length;
    part("forward").style.width = `${(100 * forward.length) / steps.length}%`;
    root.classList.toggle("compare", name !== "right");
    part("predict").disabled = name !== "right";
    if (name !== "right") part("predict").checked = false;
    findStops();
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
      const step = steps[position], table = isReverse(position) ? adjoints : values;
      if (step.before === null) table.delete(step.node);
      else table.set(step.node, step.before);
    }
    draw();
  };

  // --- the picture --------------------------------------------------------------------------------

  const scene = root.querySelector("svg.scene");
  const cells = nodes.map((_, i) => all(`g.node[data-node="${i}"]`));
  const edges = all("g.edge[data-giver]").map((element) =>
    ({ element, giver: Number(element.dataset.giver), operand: Number(element.dataset.operand) }));
  const edgeOf = (step) => edges.find((edge) => edge.giver === step.giver && edge.operand === step.operand)?.element;
  const rows = all("tbody tr");
  const made = (name, attributes, text) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const mark = (element, name, on) => element && element.classList.toggle(name, on);

  // Small graphs are fitted whole; letters never shrink below 12 pixels, then the picture scrolls.
  const fit = () => {
    if (!scene) return;
    const wide = Number(scene.dataset.width), high = Number(scene.dataset.height);
    const room = part("picture").clientWidth || wide, most = Math.max(280, 0.64 * innerHeight);
    const scale = Math.max(0.89, Math.min(1.25, room / wide, most / high));
    scene.setAttribute("width", scale * wide);
    scene.setAttribute("height", scale * high);
    part("picture").style.maxHeight = `${Math.max(most, 0.7 * innerHeight)}px`;
  };

  const draw = () => {
    const step = position ? steps[position - 1] : null;
    const ended = position === steps.length, plus = moved && data.nudges[moved.leaf];
    nodes.forEach((node, i) => {
      const value = values.get(i), adjoint = adjoints.get(i);
      const wrong = adjoint !== undefined && ended && show(adjoint) !== show(final.get(i) ?? NaN);
      const place = plus ? plus.nodes.indexOf(i) : -1;
      const shifted = place >= 0 && moved.at !== plus.zero ? number(plus.values[moved.at][place]) : null;
      for (const cell of cells[i]) {
        const chip = cell.classList.contains("chip"), [first, second] = ["value", "grad"].map((name) => cell.querySelector(`.${name}`));
        const digits = chip ? 3 : 4;
        first.textContent = value === undefined ? "" : shifted === null ? brief(value, digits) : `Δ ${brief(shifted - number(value), 3)}`;
        second.textContent = adjoint === undefined ? "" : `${shifted !== null ? "×Δ " : chip ? "" : "grad "}` +
          brief(shifted === null ? adjoint : number(adjoint) * (shifted - number(value)), shifted === null ? digits : 3);
        mark(first, "changed", shifted !== null);
        for (const name of ["positive", "negative", "zero"]) mark(second, name, adjoint !== undefined && sign(adjoint) === name);
        mark(second, "differs", wrong);
        mark(cell, "unknown", value === undefined);
        const told = [value === undefined ? "no value yet" : `value ${show(value, 4)}`, adjoint === undefined ? "no gradient yet" : `gradient ${show(adjoint, 4)}`];
        cell.setAttribute("aria-label", `${node.symbol}, ${told.join(", ")}${wrong ? ", wrong" : ""}`);
      }
      const columns = rows[i].children;
      columns[3].textContent = value === undefined ? "" : show(value);
      columns[4].textContent = adjoint === undefined ? "" : show(adjoint);
      columns[5].textContent = final.has(i) ? show(final.get(i)) : "";
      mark(columns[4], "differs", wrong);
      for (const element of [...cells[i], rows[i]]) {
        mark(element, "now", !!step && step.node === i && !nudging());
        mark(element, "giver", !!step && step.giver === i && !nudging());
      }
    });
    const passed = new Set(steps.slice(forward.length, position).map((s) => `${s.giver} ${s.operand}`));
    for (const { element, giver, operand } of edges) {
      mark(element, "unknown", !values.has(giver));
      mark(element, "secret", predicting() && !passed.has(`${giver} ${operand}`));
      mark(element, "now", !!step && step.giver === giver && step.operand === operand && !nudging());
    }
    decorate(step);
    const line = step ? nodes[step.giver >= 0 ? step.giver : step.node].line : -1;
    all(".source li").forEach((item, i) => mark(item, "now", i === line));
    tell(step, ended);
    part("nudge").disabled = predicting() || !Object.keys(data.nudges).length;
    part("slider").value = position;
    part("slider").setAttribute("aria-valuetext", step ? step.equation : "start");
    part("count").textContent = `${position} / ${steps.length}`;
    part("back").disabled = part("start").disabled = position === 0;
    part("step").disabled = part("end").disabled = ended;
    follow(step);
  };

  // The contribution on its edge, and the terms that have reached the node so far.
  const decorate = (step) => {
    all(".pill, .terms").forEach((element) => element.remove());
    flight++;
    if (!scene || !step || step.giver < 0 || nudging()) return;
    const path = edgeOf(step)?.querySelector("path");
    if (!path) return;
    const pill = made("g", { class: "pill" });
    const text = made("text", { y: 4.5 }, `${brief(step.adjoint, 3)} × ${brief(step.partial, 3)}`);
    const half = 3.7 * text.textContent.length + 6;
    pill.append(made("rect", { x: -half, y: -10, width: 2 * half, height: 20, rx: 10 }), text);
    const length = path.getTotalLength(), wide = Number(scene.dataset.width);
    const at = (share) => {
      const { x, y } = path.getPointAtLength(share * length);
      pill.setAttribute("transform", `translate(${Math.max(half - 8, Math.min(wide - half - 12, x))},${y})`);
    };
    scene.append(pill);
    at(0.5);
    if (!calm && !document.hidden) {
      const mine = flight, began = performance.now();
      const fly = (time) => {
        if (flight !== mine) return;
        const share = Math.min(1, (time - began) / 550);
        at(1 - 0.5 * (share < 0.5 ? 2 * share * share : 1 - 2 * (1 - share) ** 2));
        if (share < 1) requestAnimationFrame(fly);
      };
      at(1);
      requestAnimationFrame(fly);
    }
    const cell = cells[step.node].find((c) => !c.classList.contains("chip"));
    const terms = arrived(step.node, position);
    if (!cell || terms.length < 2) return;
    const box = cell.querySelector("rect").getBBox();
    const shown = terms.length > 4 ? [brief(terms[0].contribution, 3), "…", ...terms.slice(-2).map((t) => brief(t.contribution, 3))] : terms.map((t) => brief(t.contribution, 3));
    cell.append(made("text", { class: "terms", x: box.x + 4, y: box.y + box.height + 13 }, `= ${shown.join(" + ").replaceAll("+ −", "− ")}`));
  };
  const arrived = (node, until) => steps.slice(forward.length, until).filter((s) => s.node === node && s.giver >= 0);

  const follow = (step) => {
    if (!step) return;
    for (const [frame, element] of [[part("picture"), cells[step.node][0]], [part("table"), rows[step.node]]]) {
      if (!element) continue;
      const at = element.getBoundingClientRect(), around = frame.getBoundingClientRect();
      const left = at.left < around.left || at.right > around.right ? at.left - around.left - around.width / 3 : 0;
      const top = at.top < around.top + 30 || at.bottom > around.bottom ? at.top - around.top - around.height / 3 : 0;
      if (frame.scrollWidth > frame.clientWidth + 2 && left && element.tagName !== "TR") frame.scrollBy({ left, behavior: calm ? "auto" : "smooth" });
      if (frame.scrollHeight > frame.clientHeight + 2 && top) frame.scrollBy({ top, behavior: calm ? "auto" : "smooth" });
    }
  };

  // --- the sentence, in MathML --------------------------------------------------------------------

  const mn = (x, digits = 6) => {
    const text = show(x, digits), [mantissa, exponent] = text.split("e");
    const plain = (t) => (t.startsWith("-") ? `<mo form="prefix">−</mo><mn>${t.slice(1)}</mn>` : `<mn>${t}</mn>`);
    return exponent ? `<mrow>${plain(mantissa)}<mo>·</mo><msup><mn>10</mn><mrow>${plain(String(Number(exponent)))}</mrow></msup></mrow>` : `<mrow>${plain(text)}</mrow>`;
  };
  const inBrackets = (x) => (show(x).startsWith("-") ? `<mrow><mo>(</mo>${mn(x)}<mo>)</mo></mrow>` : mn(x));
  const colored = (kind, markup) => `<mrow class="${kind}">${markup}</mrow>`;
  const D = '<mi mathvariant="normal">d</mi><mspace width="0.12em"></mspace>';
  const by = (i) => `<mfrac><mrow>${D}${nodes[data.result].math}</mrow><mrow>${D}${nodes[i].math}</mrow></mfrac>`;
  const local = (giver, node, operand) => {
    const twice = nodes[giver].twice.includes(operand) ? `<msub><mo>∂</mo><mn>${operand + 1}</mn></msub>` : "<mo>∂</mo>";
    return `<mfrac><mrow>${twice}${nodes[giver].math}</mrow><mrow><mo>∂</mo>${nodes[node].math}</mrow></mfrac>`;
  };
  const math = (...parts) => `<math>${parts.filter(Boolean).join("<mo>=</mo>")}</math>`;
  const times = "<mo>×</mo>";
  const sentence = (step) => {
    const node = nodes[step.node];
    if (!isReverse(position - 1)) return math(node.math, node.formulaMath, mn(step.after));
    if (step.giver < 0) return math(by(step.node), mn(step.after));
    const kind = sign(step.partial), more = step.before !== null && step.rule !== "overwrite";
    return math(by(step.node),
      `${more ? "<mtext>so far</mtext><mo>+</mo>" : ""}${by(step.giver)}${times}${colored(kind, local(step.giver, step.node, step.operand))}`,
      `${more ? `${mn(step.before)}<mo>+</mo>` : ""}${inBrackets(step.adjoint)}${times}${colored(kind, inBrackets(step.partial))}`,
      colored("now", mn(step.after)));
  };
  const because = (step) => {
    if (step.giver < 0) return "";
    const giver = nodes[step.giver], kind = sign(step.partial), rule = giver.rules[step.operand];
    const constant = rule?.replace(/<[^>]*>/g, "") === minus(show(step.partial));  // else "= 1 = 1"
    const derived = math(colored(kind, local(step.giver, step.node, step.operand)), constant ? "" : rule, colored(kind, mn(step.partial)));
    return giver.formulaMath ? `${derived}<span>, for&nbsp;</span>${math(giver.math, giver.formulaMath)}` : derived;
  };
  const NOTHING = "Nothing has been computed yet: press Step, or the right arrow key.";
  const tell = (step, ended) => {
    const rule = step ? data.rules[step.rule] : "";
    part("sentence").innerHTML = step ? sentence(step) : NOTHING;
    part("because").innerHTML = step && isReverse(position - 1) ? because(step) : "";
    part("told").textContent = step ? step.equation : NOTHING;
    part("why").textContent = step ? step.reason : "";
    part("rule").textContent = rule + (ended ? summary() : "");
    mark(part("now"), "wrong", rule.startsWith("Wrong"));
  };
  const summary = () => {
    const wrong = nodes.filter((_, i) => final.has(i) && show(adjoints.get(i) ?? NaN) !== show(final.get(i) ?? NaN));
    if (sweep === "right") return " Done: every gradient is complete.";
    if (!wrong.length) return " Done. Every gradient is right all the same: this graph does not show the fault.";
    return ` Done. Wrong, and struck out in the graph and the table: ${wrong.map((node) => node.derivative).join(", ")}.`;
  };

  // --- the next step, after a question about it if the reader wants to predict --------------------

  const advance = () => {
    if (asking) return part("guess").focus();
    const next = steps[position];
    if (next && predicting() && next.giver >= 0) return ask(next);
    closeQuestion();
    goTo(predicting() ? position + 1 : stops.find((at) => at > position) ?? steps.length);
  };
  const retreat = () => goTo(predicting() ? position - 1 : stops.filter((at) => at < position).at(-1) ?? 0);
  const ask = (step) => {
    say("");
    asking = true;
    tries = 0;
    const node = nodes[step.node], giver = nodes[step.giver];
    const soFar = step.before === null ? `nothing has arrived at ${node.symbol} yet` : `${node.derivative} is ${show(step.before)} so far`;
    part("asked").textContent = `${giver.symbol} = ${giver.formula} sends a contribution to its operand ${node.symbol}` +
      (giver.twice.includes(step.operand) ? `, number ${step.operand + 1}` : "") +
      `. ${giver.derivative} is ${show(step.adjoint)}, and ${soFar}. What is ${node.derivative} after this step?`;
    part("guess").value = "";
    part("question").hidden = false;
    part("guess").focus();
  };
  const closeQuestion = () => { asking = false; part("question").hidden = true; say(""); };
  const say = (text, good) => {
    part("verdict").textContent = text && `${good ? "✓" : "✗"} ${text}`;
    part("verdict").className = text ? (good ? "good" : "bad") : "";
  };
  const settle = (text, good) => {
    asked++;
    if (good && tries === 1) known++;
    closeQuestion();
    goTo(position + 1);
    say(`${text} ${known} of ${asked} right at the first try.`, good);
    part("step").focus();
  };
  const check = () => {
    const step = steps[position], wanted = number(step.after);
    const text = part("guess").value.trim().toLowerCase().replace("−", "-").replace(/^([^.]*),([^,.]*)$/, "$1.$2");
    const guess = /^(nan|-?inf)$/.test(text) ? number(text) : /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/.test(text) ? Number(text) : null;
    if (guess === null) return say("Type a number, such as -0.73.", false);
    tries++;
    if (close(guess, wanted)) return settle(`Right: ${show(wanted)}.`, true);
    if (tries === 1) { say(`Not ${show(guess)}. ${hint(step, guess)} Try again.`, false); return part("guess").select(); }
    return settle(`It is ${show(wanted)}, not ${show(guess)}. ${hint(step, guess)}`, false);
  };
  const close = (x, wanted) => Object.is(x, wanted) || x === wanted || (Number.isFinite(wanted) && Math.abs(x - wanted) <= 0.01 * Math.abs(wanted));
  // Which factor is wrong: the guess is taken apart by what the reader may have used instead.
  const hint = (step, guess) => {
    const near = (x) => Number.isFinite(x) && x !== 0 && close(guess, x);
    const before = step.before === null ? 0 : number(step.before);
    const adjoint = number(step.adjoint), partial = number(step.partial), term = number(step.contribution);
    const name = `∂${nodes[step.giver].symbol}/∂${nodes[step.node].symbol}`, above = nodes[step.giver].derivative;
    const sum = (x) => near(before + x);
    if (step.before !== null && near(term)) return "That is the new contribution alone; it is added to what was there.";
    if (sum(-term) || near(-number(step.after))) return `The sign is wrong: ${above} is ${show(adjoint)}, and ${name} is ${show(partial)}.`;
    if (sum(partial)) return `The first factor is missing: that is the local derivative alone; multiply it by the adjoint ${above}.`;
    if (sum(adjoint)) return `The second factor is missing: that is the adjoint alone; multiply it by the local derivative ${name}.`;
    if (sum(adjoint + partial)) return "The two factors are multiplied, not added.";
    if (partial && sum(adjoint / partial)) return "The two factors are multiplied, not divided.";
    const other = forward.find((s) => sum(adjoint * number(s.after)) && !close(number(s.after), partial));
    if (other) return `The second factor is wrong: you used the value of ${nodes[other.node].symbol}; ${name} is something else.`;
    const sibling = edges.find((e) => e.giver === step.giver && e.operand !== step.operand && sum(adjoint * number(nodes[step.giver].partials[e.operand] ?? NaN)));
    if (sibling) return `The second factor is wrong: that is the local derivative by another operand; take ${name}.`;
    const stranger = [...final].find(([node, a]) => node !== step.giver && sum(number(a) * partial));
    if (stranger) return `The first factor is wrong: that is ${nodes[stranger[0]].derivative}; the contribution comes from ${nodes[step.giver].symbol}, whose adjoint is ${above}.`;
    return `It is ${step.before === null ? "" : "what was there + "}the adjoint ${above} × the local derivative ${name}.`;
  };

  // --- what a node's gradient is made of ----------------------------------------------------------

  const about = (i) => {
    const every = sweeps.right.filter((step) => step.node === i && step.giver >= 0);
    const parts = predicting() ? every.filter((step) => steps.indexOf(step) < position) : every;
    const { derivative, symbol } = nodes[i];
    if (i === data.result) return `${symbol} is the result: ${derivative} = 1.`;
    if (!every.length) return `Nothing flows back to ${symbol}.`;
    if (!parts.length) return `Nothing has arrived at ${symbol} yet.`;
    const terms = parts.map((s) => `${show(s.adjoint)} × ${show(s.partial)} from ${nodes[s.giver].symbol}`);
    return `${derivative} = ${terms.join(" + ")} = ${show(parts.at(-1).after)}`;
  };

  // --- inputs that move ---------------------------------------------------------------------------

  const slide = (leaf, at) => {
    const { amounts, zero, nodes: reached, values: table } = data.nudges[leaf];
    at = Math.max(0, Math.min(amounts.length - 1, at));
    moved = { leaf, at };
    draw();
    const shift = number(amounts[at]), y = nodes[data.result], x = nodes[leaf], place = reached.indexOf(data.result);
    const result = place < 0 ? number(y.value) : number(table[at][place]);
    const actual = result - number(place < 0 ? y.value : table[zero][place]), gradient = final.get(leaf) ?? 0, predicted = number(gradient) * shift;
    part("nudged").textContent = `Move ${x.symbol} = ${show(x.value)} by ${show(shift, 3)}: ${y.symbol} becomes ${show(result)}, ` +
      `a change of ${show(actual, 4)}. Gradient × change = ${show(gradient, 4)} × ${show(shift, 3)} = ` +
      `${show(predicted, 4)}, ${Number.isFinite(actual - predicted) ? `off by ${show(actual - predicted, 3)}` : "which cannot be compared: it is not finite"}.`;
    for (const cell of cells[leaf]) {
      cell.setAttribute("aria-valuenow", at - zero);
      cell.setAttribute("aria-valuetext", `${x.symbol} ${shift < 0 ? "minus" : "plus"} ${show(Math.abs(shift), 3)}, ${y.symbol} ${show(result, 4)}`);
    }
    knobs();
  };
  const knobs = () => {
    for (const knob of all(".knob")) {
      const leaf = Number(knob.dataset.leaf), { amounts, zero } = data.nudges[leaf];
      const at = moved && moved.leaf === leaf ? moved.at : zero;
      knob.setAttribute("cx", Number(knob.dataset.from) + (at / (amounts.length - 1)) * Number(knob.dataset.wide));
    }
  };
  const setNudging = (on) => {
    part("nudge").setAttribute("aria-pressed", on);
    mark(root, "nudging", on);
    part("nudged").hidden = !on;
    moved = null;
    all(".track, .knob").forEach((element) => element.remove());
    for (const [leaf, { amounts, zero }] of Object.entries(data.nudges)) for (const cell of cells[leaf]) {
      mark(cell, "leaf", on);
      cell.setAttribute("role", on ? "slider" : "img");
      for (const [name, value] of [["min", -zero], ["max", amounts.length - 1 - zero], ["now", 0]])
        on ? cell.setAttribute(`aria-value${name}`, value) : cell.removeAttribute(`aria-value${name}`);
      cell.removeAttribute("aria-valuetext");
      if (!on) continue;
      const box = cell.querySelector("rect").getBBox(), y = box.y + box.height, from = box.x + 10, wide = box.width - 20;
      cell.append(made("line", { class: "track", x1: from, x2: from + wide, y1: y, y2: y }), made("circle", { class: "knob", cy: y, r: 5, "data-leaf": leaf, "data-from": from, "data-wide": wide }));
    }
    if (on) {
      goTo(steps.length);
      part("nudged").textContent = "Drag an input to the left or right, or tab to it and use the arrow keys. Δ is the change of a node, ×Δ its gradient times that change.";
      knobs();
    } else draw();
  };
  for (const leaf of Object.keys(data.nudges).map(Number)) for (const cell of cells[leaf]) {
    const at = (event) => {
      const box = cell.querySelector("rect").getBoundingClientRect();
      return Math.round(((event.clientX - box.left) / box.width) * (data.nudges[leaf].amounts.length - 1));
    };
    cell.addEventListener("pointerdown", (event) => {
      if (!nudging()) return;
      cell.setPointerCapture(event.pointerId);
      slide(leaf, at(event));
    });
    cell.addEventListener("pointermove", (event) => { if (nudging() && cell.hasPointerCapture(event.pointerId)) slide(leaf, at(event)); });
    cell.addEventListener("keydown", (event) => {
      const shift = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5 }[event.key];
      if (!nudging() || !shift) return;
      event.preventDefault();
      event.stopPropagation();
      slide(leaf, (moved && moved.leaf === leaf ? moved.at : data.nudges[leaf].zero) + shift);
    });
  }
  nodes.forEach((_, i) => {
    for (const cell of cells[i]) {
      cell.setAttribute("tabindex", "0");
      cell.setAttribute("role", "img");
      for (const event of ["mouseenter", "focus", "click"]) cell.addEventListener(event, () => { part("about").textContent = about(i); });
    }
  });

  // --- views --------------------------------------------------------------------------------------

  part("viewing").hidden = views.length < 2;
  views.forEach(({ name }, i) => part("view").add(new Option(name, i)));
  part("view").value = chosen;
  part("view").addEventListener("change", () => {
    const next = Number(part("view").value);
    root.innerHTML = views[next].html;
    root.classList.remove("compare", "nudging");
    mountStepper(root, views, next);
    root.querySelector('[data-part="view"]').focus();
  });

  // --- controls -----------------------------------------------------------------------------------

  const stop = () => { clearInterval(timer); timer = null; part("play").textContent = "▶ Play"; part("play").setAttribute("aria-pressed", "false"); };
  const play = () => {
    if (timer) return stop();
    if (nudging()) setNudging(false);
    if (position === steps.length) goTo(0);
    part("play").textContent = "❚❚ Pause";
    part("play").setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      advance();
      if (asking || position === steps.length) stop();
    }, 1100);
  };
  const halt = (action) => () => { stop(); closeQuestion(); if (nudging()) setNudging(false); action(); };
  part("start").addEventListener("click", halt(() => goTo(0)));
  part("back").addEventListener("click", halt(retreat));
  part("step").addEventListener("click", () => { stop(); if (nudging()) setNudging(false); advance(); });
  part("end").addEventListener("click", halt(() => goTo(steps.length)));
  part("play").addEventListener("click", play);
  part("slider").addEventListener("input", halt(() => goTo(Number(part("slider").value))));
  part("grain").addEventListener("change", findStops);
  part("sweep").addEventListener("change", halt(() => {
    goTo(Math.min(position, forward.length));
    choose(part("sweep").value);
    draw();
  }));
  part("predict").addEventListener("change", () => { asked = known = 0; closeQuestion(); if (nudging()) setNudging(false); draw(); });
  part("nudge").addEventListener("click", () => { stop(); closeQuestion(); setNudging(!nudging()); });
  part("question").addEventListener("submit", (event) => { event.preventDefault(); check(); });
  part("reveal").addEventListener("click", () => settle("", false));
  const onKey = (event) => {
    const target = event.target, typing = /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) && target.type !== "checkbox" || target.isContentEditable;
    if (event.altKey || event.ctrlKey || event.metaKey || typing) return;
    const keys = { ArrowRight: () => { stop(); if (nudging()) setNudging(false); advance(); }, ArrowLeft: halt(retreat), Home: halt(() => goTo(0)), End: halt(() => goTo(steps.length)) };
    const action = event.key === " " && !/^(BUTTON|INPUT)$/.test(target.tagName) ? play : keys[event.key];
    if (!action || (target.closest?.(".scroll") && event.key === " ")) return;
    event.preventDefault();
    action();
  };
  document.addEventListener("keydown", onKey, { signal });
  addEventListener("resize", fit, { signal });

  fit();
  choose(data.start.sweep);
  goTo(data.start.position);
  return { goTo, get position() { return position; }, get length() { return steps.length; } };
};
