(() => {
  const { texts, trees } = JSON.parse(document.getElementById("trees").textContent);
  const byId = (id) => document.getElementById(id);
  const scenario = byId("scenario"), protocol = byId("protocol"), explored = byId("explored"), said = byId("said");
  const element = (name, attributes = {}, ...children) => {
    const it = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === true) it.setAttribute(key, "");
      else if (value !== false && value !== undefined) it.setAttribute(key, value);
    }
    it.append(...children.filter((child) => child !== undefined && child !== ""));
    return it;
  };
  const of = (name) => trees.filter((tree) => tree.scenario === name);
  // How many interleavings there are from a moment, and how many violate something.
  const counts = (tree) => tree.counted ??= tree.moments.reduce((all, [steps, , violated]) => {
    const own = violated ? [1, violated.length ? 1 : 0] : [0, 0];
    all.push(steps.reduce(([n, bad], [, , , , to]) => [n + all[to][0], bad + all[to][1]], own));
    return all;
  }, []);

  let tree = trees[0], path = [];

  const read = () => {
    const match = /^#x=([a-z-]+),([a-z-]+),([\d.]*)$/.exec(location.hash);
    if (!match) return false;
    const found = trees.find((it) => it.scenario === match[1] && it.protocol === match[2]);
    if (!found) { said.textContent = `The address names ${match[2]} in ${match[1]}, which is not in this page.`; return false; }
    tree = found;
    path = match[3] ? match[3].split(".").map(Number) : [];
    return true;
  };
  const address = (steps) => `#x=${tree.scenario},${tree.protocol},${steps.join(".")}`;
  const go = (steps) => { location.hash = address(steps); };

  // The steps of the path. A step that nobody can take ends it.
  const walk = () => {
    let at = tree.moments.length - 1, state = texts[tree.before];
    const taken = [];
    for (const task of path) {
      const step = tree.moments[at][0].find((it) => it[0] === task);
      if (!step) break;
      taken.push(step);
      state = texts[step[2]];
      at = step[4];
    }
    path = taken.map((step) => step[0]);
    return { at, state, taken };
  };

  const ways = ([all, bad]) => `${bad} of ${all} ${all === 1 ? "way" : "ways"} on from there ${bad === 1 ? "violates" : "violate"} an invariant`;
  const choice = (task, moment) => {
    const name = tree.tasks[task], step = moment[0].find((it) => it[0] === Number(task));
    if (step) {
      return element("button", { type: "button", "data-task": task },
        element("strong", {}, name), `: ${texts[step[1]]} `, element("small", {}, ways(counts(tree)[step[4]])));
    }
    const waits = moment[1].includes(Number(task));
    return element("button", { type: "button", disabled: true }, element("strong", {}, name), waits ? " waits" : " has ended");
  };

  const row = (step, number) => {
    const violated = step[3].map((it) => texts[it]).join(", ");
    const cells = Object.keys(tree.tasks).map((task) => {
      if (Number(task) !== step[0]) return element("td");
      const cell = element("td", {}, texts[step[1]]);
      if (violated) cell.append(" ", element("strong", {}, `violates ${violated}`));
      return cell;
    });
    const back = element("a", { href: address(path.slice(0, number)), "aria-label": `Back to after section ${number}` }, String(number));
    return element("tr", violated ? { class: "violates" } : {}, element("th", { scope: "row" }, back), ...cells,
      element("td", {}, texts[step[2]]));
  };

  const show = (focus) => {
    const { at, state, taken } = walk();
    const moment = tree.moments[at], tasks = Object.keys(tree.tasks);
    const violated = new Set(taken.flatMap((step) => step[3].map((it) => texts[it])));
    (moment[2] ?? []).forEach((it) => violated.add(texts[it]));
    const judged = violated.size ? `violated: ${[...violated].join(", ")}` : moment[2] ? "nothing is violated" : "nothing is violated so far";
    const ended = !moment[0].length;
    const parts = state.split("; ").map((part) => part.split(": "));
    const facts = element("dl", { class: "state" });
    for (const [name, ...rest] of parts) facts.append(element("dt", {}, name), element("dd", {}, rest.join(": ")));
    facts.append(element("dt", {}, "waits"), element("dd", {}, moment[1].map((it) => tree.tasks[it]).join(", ") || "nobody"));
    facts.append(element("dt", {}, "invariants"), element("dd", { class: violated.size ? "broken" : "holds", id: "judged" }, judged));
    const buttons = element("div", { class: "choices", role: "group", "aria-label": "Who goes on" }, ...tasks.map((it) => choice(it, moment)));
    const article = tree.article && element("a", { href: tree.article }, `Why ${tree.protocol} fails`);
    const again = element("div", { class: "choices" },
      element("button", { type: "button", id: "back", disabled: !path.length }, "Back"),
      element("button", { type: "button", id: "again", disabled: !path.length }, "Start again"), article || "");
    const head = element("tr", {}, element("th", { scope: "col" }, "section"),
      ...tasks.map((it) => element("th", { scope: "col" }, tree.tasks[it])), element("th", { scope: "col" }, "state after it"));
    const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...taken.map((step, at) => row(step, at + 1))));
    explored.replaceChildren(
      element("h3", { id: "moment", tabindex: "-1" }, ended ? `The execution has ended after ${path.length} sections` : `After ${path.length} ${path.length === 1 ? "section" : "sections"}`),
      facts, buttons, again,
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The sections so far" }, table));
    if (scenario.value !== tree.scenario || !protocol.options.length || protocol.dataset.of !== tree.scenario) fill();
    protocol.value = tree.protocol;
    said.textContent = focus ? `${ended ? "The execution has ended" : `${path.length} sections`}; ${judged}.` : "";
    if (focus) (explored.querySelector(".choices button:not(:disabled)") ?? byId("moment")).focus();
  };
  const fill = () => {
    scenario.value = tree.scenario;
    protocol.dataset.of = tree.scenario;
    protocol.replaceChildren(...of(tree.scenario).map((it) => element("option", { value: it.protocol }, `${it.protocol}${it.shipped ? ", the shipped one" : ""} (${counts(it).at(-1)[1]} of ${counts(it).at(-1)[0]} violate)`)));
  };

  explored.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button || button.disabled) return;
    if (button.id === "back") go(path.slice(0, -1));
    else if (button.id === "again") go([]);
    else go([...path, Number(button.dataset.task)]);
  });
  scenario.addEventListener("change", () => { tree = of(scenario.value)[0]; go([]); });
  protocol.addEventListener("change", () => { tree = of(scenario.value).find((it) => it.protocol === protocol.value); go([]); });
  addEventListener("hashchange", () => {
    if (!read()) return;
    const inside = explored.contains(document.activeElement);
    show(inside);
    if (!inside) byId("explorer").scrollIntoView();
  });
  const linked = read();
  show(false);
  if (linked) byId("explorer").scrollIntoView();
})();
