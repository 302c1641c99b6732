// Shows the page's main part anew every few seconds, while somebody looks.
const main = document.querySelector("main[data-live]");

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch("/", { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (fresh) main.replaceChildren(...fresh.childNodes);
}

if (main) setInterval(refresh, 1000 * Number(main.dataset.live));
