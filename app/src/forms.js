// Sends plain forms in the background, so that what was typed stays and errors stand beside their fields.
// Written into pages that have no other script; without it the browser posts the same forms itself.
const text = (id, words) => {
  const place = document.getElementById(id);
  if (place) (place.hidden = !words), (place.textContent = words);
};

function show(form, problem) {
  const errors = new Map((problem?.errors ?? []).map((error) => [error.field, error.detail]));
  for (const field of form.querySelectorAll('.field :is(input, select)')) {
    const error = errors.get(field.name);
    text(`${field.id}-error`, error ?? '');
    if (error) field.setAttribute('aria-invalid', 'true');
    else field.removeAttribute('aria-invalid');
  }
  const note = form.querySelector('.form-note') ?? document.querySelector('.page-note');
  const general = problem && (!errors.size || ![...errors.keys()].some((name) => form.querySelector(`.field [name="${name}"]`)));
  if (note) {
    note.hidden = !general;
    note.querySelector('.note-title').textContent = general ? problem.title : '';
    note.querySelector('.note-detail').textContent = general ? problem.detail : '';
  }
  // What an earlier act said holds no more above one that was refused.
  for (const said of document.querySelectorAll('main .said')) said.hidden ||= Boolean(problem);
  const wrong = form.querySelector('[aria-invalid]');
  wrong?.focus();
  // A note at the head of the page may be out of sight of the row that was refused.
  if (note?.matches('.page-note') && general && !wrong) land(note);
}

// Where somebody goes on, by keyboard and by ear.
function land(place) {
  place.tabIndex = -1;
  place.focus();
}

// What was done on this page, for the page that follows: it leads its reader back to where they were.
const ACTED = 'seam-acted';
const MOST_MS = 20_000;
function remember(deed) {
  try {
    sessionStorage.setItem(ACTED, JSON.stringify({ ...deed, path: location.pathname, at: Date.now() }));
  } catch {
    // A browser that keeps nothing: then the page begins at its beginning.
  }
}
function remembered() {
  try {
    const deed = JSON.parse(sessionStorage.getItem(ACTED) ?? 'null');
    sessionStorage.removeItem(ACTED);
    return deed && deed.path === location.pathname && Date.now() - deed.at < MOST_MS ? deed : null;
  } catch {
    return null;
  }
}
const words = (element) => element?.textContent.replace(/[↑↓\s]+/g, ' ').trim() ?? '';
const action = (form) => form.getAttribute('action')?.split('?')[0];

// A place on the page that is shown already would only be jumped to.
function go(to) {
  const next = new URL(to, location.href);
  const here = next.pathname + next.search === location.pathname + location.search;
  location.href = next.href;
  if (here && next.hash) location.reload();
}

async function send(form, button) {
  const fields = new FormData(form, button);
  try {
    const answer = await fetch(form.action, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { accept: 'application/json' },
    });
    if (answer.ok) {
      remember({ form: action(form), button: words(button) });
      return go(answer.headers.get('location') ?? location.href);
    }
    const body = await answer.json().catch(() => ({}));
    const unreadable = { title: 'Something went wrong', detail: `The server answered with status ${answer.status}. Try again in a moment.` };
    show(form, body.problem ?? (body.title ? body : unreadable));
  } catch {
    show(form, { title: 'No connection', detail: 'The server cannot be reached. What you typed is kept; try again when the connection is back.' });
  }
  form.removeAttribute('aria-busy');
}

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.getAttribute('role') === 'search') remember({ search: true });
  if (form.method !== 'post') return;
  event.preventDefault();
  if (form.getAttribute('aria-busy')) return;
  form.setAttribute('aria-busy', 'true');
  send(form, event.submitter);
});

// A link to another part of the same list: its order, its pages, its kinds.
document.addEventListener('click', (event) => {
  const link = event.target.closest?.('main a[href^="?"]');
  if (link) remember({ link: words(link) });
});

// What is shown once can be copied, where the browser lets a page do so.
for (const button of navigator.clipboard ? document.querySelectorAll('[data-copies]') : []) {
  button.hidden = false;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(button.closest('.once').querySelector('code').textContent);
    button.textContent = 'Copied';
  });
}

// What lives is looked at anew every few seconds, as long as somebody can see it. It holds nothing that could be in use.
const lives = document.querySelector('[data-live]') !== null;
async function refresh() {
  if (document.hidden || document.querySelector('form[aria-busy]')) return;
  const answer = await fetch('?again', { headers: { accept: 'text/html' } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  const now = new Map([...fresh.querySelectorAll('[data-live]')].map((place) => [place.dataset.live, place]));
  for (const place of document.querySelectorAll('[data-live]')) {
    const next = now.get(place.dataset.live);
    if (next && next.innerHTML !== place.innerHTML) place.replaceChildren(...next.childNodes);
  }
}
if (lives) setInterval(refresh, 5000);

// One field may suggest another: the short name follows the name until somebody writes their own.
for (const slug of document.querySelectorAll('[data-follows]')) {
  const name = document.getElementById(slug.dataset.follows);
  let own = slug.value !== '';
  slug.addEventListener('input', () => (own = slug.value !== ''));
  name?.addEventListener('input', () => {
    const plain = name.value.toLowerCase().normalize('NFKD').replace(/\p{M}+/gu, '').replaceAll('ß', 'ss');
    const words = plain.replace(/[^a-z0-9]+/g, '-').replace(/^[-0-9]+/, '').slice(0, 40);
    if (!own) slug.value = words.replace(/-+$/, '');
  });
}
// A page that comes again leads back to where its reader was: also what scrolls inside it, also for who goes on by keyboard.
const back = location.hash && document.getElementById(location.hash.slice(1));
const deed = remembered();
if (back) {
  back.tabIndex = -1;
  back.focus({ preventScroll: true });
  back.scrollIntoView();
} else {
  const of = (list, wanted) => [...document.querySelectorAll(list)].find((one) => words(one) === wanted);
  const said = document.querySelector('main .note[role="status"]:not([hidden])');
  const where =
    said ||
    (deed?.search && document.querySelector('main input[type="search"]')) ||
    (deed?.link && of('main a[href^="?"]', deed.link)) ||
    (deed?.form && of(`main form[action^="${deed.form}"] button`, deed.button)) ||
    (deed && document.querySelector('main h1'));
  if (where?.matches('input, a, button')) where.focus();
  else if (where) land(where);
}
document.body.dataset.hydrated = '';
