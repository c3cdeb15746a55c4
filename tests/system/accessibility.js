// Serious faults of accessibility on a page, as a list of texts: names, structure, focus and contrast.
(() => {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (e) => e.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
  const about = (e) => `${e.tagName.toLowerCase()}.${e.getAttribute("class") || ""} ${(e.textContent || "").trim().slice(0, 40)}`;
  const check = (good, words, e) => good || faults.push(`${words}: ${e ? about(e) : "page"}`);
  const named = (e) => e.getAttribute("aria-label") || e.getAttribute("alt") || e.textContent.trim();

  check(document.documentElement.lang, "no language");
  check(document.title.trim(), "no title");
  check(all("h1").length === 1, "not one h1");
  check(all("main").length === 1, "not one main");
  let level = 0;
  for (const e of all("h1,h2,h3,h4,h5,h6").filter(shown)) {
    check(+e.tagName[1] <= level + 1, "a level of headings is left out", e);
    level = +e.tagName[1];
  }
  const ids = all("[id]").map((e) => e.id);
  check(new Set(ids).size === ids.length, "an id occurs twice");
  for (const e of all("a[href^='#']")) check(document.getElementById(e.hash.slice(1)), "a link leads nowhere", e);
  for (const e of all("img,a,button,summary,[role=region],[role=img],[role=group],nav,[tabindex='0']"))
    check(named(e), "no name", e);
  for (const e of all("svg")) check(e.ariaHidden === "true" || e.ariaLabel, "a picture without a name", e);
  for (const e of all("[tabindex='0']")) check(e.getAttribute("role"), "focus without a role", e);
  for (const e of all("[role=img] [tabindex],[aria-hidden=true] [tabindex]")) check(false, "focus inside a picture", e);
  for (const e of all("th")) check(e.scope && e.textContent.trim(), "a header without scope or text", e);
  for (const e of all("table")) check(e.ariaLabel || e.caption || e.closest("[aria-label]"), "a table without a name", e);
  for (const e of all("*").filter((e) => /auto|scroll/.test(getComputedStyle(e).overflowX)))
    if (e.scrollWidth > e.clientWidth + 1)
      check(e.tabIndex >= 0 || e.querySelector("a,[tabindex='0']"), "a scrolling box without focus", e);

  const parse = (colour) => {
    const [r, g, b, a = 1] = (colour.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const background = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), dark ? [18, 18, 18] : [255, 255, 255]);
  };
  const seen = new Set();
  for (const e of all("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !shown(e)) continue;
    const style = getComputedStyle(e);
    const svg = e.closest("svg");
    const back = background(svg ? svg.parentElement : e);
    const front = over(parse(svg ? style.fill : style.color), back);
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.7 && style.fontWeight >= 700);
    const key = `${front}/${back}`;
    if ((high + 0.05) / (low + 0.05) < (large ? 3 : 4.5) && !seen.has(key)) check(false, `contrast ${key}`, e);
    seen.add(key);
  }
  return faults;
})();
