// Chatting with the model that runs inside the server.
import { answers, composer, expect, finished, grownTo, hydrated, lastAnswer, open, quietLine, send, stopButton, test, words } from '../support/world';

test('an answer of the local model grows as it comes, and says what it took', async ({ chat: page }) => {
  test.setTimeout(240_000);
  await open(page, '/chat');
  await send(page, 'Write a short story about a lighthouse keeper and her dog.', 'assistant');
  await expect(page).toHaveURL(/\/chat\/[0-9a-f-]{36}$/);

  const early = await grownTo(page, 1);
  const later = await grownTo(page, early.length + 40);
  expect(later.startsWith(early.trimEnd().slice(0, 20))).toBe(true);
  // Five hundred tokens, on a machine that may have other things to do.
  await finished(page, 200_000);

  const line = quietLine(page).getByRole('listitem');
  await expect(line.nth(0)).toHaveText('assistant');
  await expect(line.nth(0)).toHaveAttribute('title', /local\/smollm2/);
  await expect(line.nth(1)).toHaveText(/^[\d,]+ tokens$/);
  await expect(line.nth(2)).toHaveText(/^\$0\.\d*[1-9]/);
  await expect(line.nth(3)).toHaveText(/(ms|s) to first token$/);
  await expect(line.nth(4)).toHaveText(/^chat@\d+$/);
  await expect(page.getByRole('navigation', { name: 'Conversations' }).getByRole('link').first()).toHaveAttribute('aria-current', 'page');
});

test('the beginning and the end of an answer are announced, not its tokens', async ({ chat: page }) => {
  await open(page, '/chat');
  const status = page.locator('[aria-live="polite"][role="status"].visually-hidden');
  await send(page, 'Announce yourself', 'slow');
  await expect(status).not.toBeEmpty();
  const started = await status.innerText();
  await grownTo(page, 80);
  expect(await status.innerText()).toBe(started);
  await finished(page);
  await expect(status).not.toHaveText(started);
});

test('stopping keeps what was said and bills it', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'Tell me everything', 'slow');
  await grownTo(page, 60);
  await stopButton(page).click();
  await expect(lastAnswer(page)).toContainText('Stopped');
  await expect(composer(page)).toBeEditable();
  const kept = await words(page).innerText();
  expect(kept.length).toBeGreaterThanOrEqual(60);
  await expect(quietLine(page)).toContainText('≈');

  await page.reload();
  await expect(lastAnswer(page)).toContainText('Stopped');
  expect(await words(page).innerText()).toBe(kept);
});

test('an answer can be asked for again, and both can be looked at', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'Say something', 'quick');
  await finished(page);
  await page.getByRole('button', { name: 'Answer again' }).click();
  await expect(lastAnswer(page)).toContainText('2/2');
  await finished(page);
  await page.getByRole('button', { name: 'Previous version' }).click();
  await expect(lastAnswer(page)).toContainText('1/2');
  await expect(answers(page)).toHaveCount(1);
  await page.getByRole('button', { name: 'Next version' }).click();
  await expect(lastAnswer(page)).toContainText('2/2');
});

test('editing a message makes a branch and keeps the first wording', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'First wording', 'quick');
  await finished(page);
  await page.getByRole('article', { name: 'You' }).getByRole('button', { name: 'Edit' }).click();
  const field = page.getByRole('textbox', { name: 'Edit your message' });
  await field.fill('Second wording');
  await field.press('Enter');
  await expect(page.getByRole('article', { name: 'You' })).toContainText('Second wording');
  await expect(page.getByRole('article', { name: 'You' })).toContainText('2/2');
  await finished(page);
  await page.getByRole('article', { name: 'You' }).getByRole('button', { name: 'Previous version' }).click();
  await expect(page.getByRole('article', { name: 'You' })).toContainText('First wording');
});

test('an answer that was cut is shown as such, and never as finished', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'Break off', 'cut');
  await expect(lastAnswer(page).getByRole('alert')).toBeVisible();
  expect((await words(page).innerText()).length).toBeGreaterThan(0);
  await page.reload();
  await expect(lastAnswer(page).getByRole('alert')).toBeVisible();
});

test('a provider that fails is a clear message, and the next try works', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'Fail, please', 'broken');
  await expect(lastAnswer(page).getByRole('alert')).toBeVisible();
  await send(page, 'And now?', 'quick');
  await finished(page);
  await expect(words(page)).not.toBeEmpty();
});

test('what is too long is refused, and what was typed is kept', async ({ chat: page, complaints }) => {
  complaints.expected.push(/status of 4\d\d/);
  await open(page, '/chat');
  const long = 'seam '.repeat(60_000);
  await composer(page).fill(long);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  expect((await composer(page).inputValue()).length).toBe(long.length);
});

test('a draft outlives a reload', async ({ chat: page }) => {
  await open(page, '/chat');
  await composer(page).fill('half a thou');
  await page.waitForTimeout(600);
  await page.reload();
  await expect(composer(page)).toHaveValue('half a thou');
  await composer(page).fill('');
  await page.waitForTimeout(600);
});

test('the history is searched on the server', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'Quokka facts, please', 'quick');
  await finished(page);
  await open(page, '/chat');
  await send(page, 'Something about tides', 'quick');
  await finished(page);
  const list = page.getByRole('navigation', { name: 'Conversations' });
  await page.getByRole('searchbox', { name: 'Search conversations' }).fill('quokka');
  await expect(list.getByRole('link', { name: /tides/ })).toHaveCount(0);
  await list.getByRole('link', { name: /Quokka/ }).click();
  await expect(page.getByRole('article', { name: 'You' })).toContainText('Quokka facts');
});

test('a conversation is renamed and deleted, after a question', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'Name me', 'quick');
  await finished(page);
  await expect(page.getByRole('heading', { level: 1, name: 'Name me' })).toBeVisible();
  const menu = page.getByRole('button', { name: 'Rename or delete' });
  await menu.click();
  await page.getByLabel('Title').fill('A better <b>name</b>');
  await page.getByRole('button', { name: 'Rename', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'A better <b>name</b>' })).toBeVisible();
  const list = page.getByRole('navigation', { name: 'Conversations' });
  await expect(list.getByRole('link', { name: 'A better <b>name</b>' })).toBeVisible();

  const address = page.url();
  await hydrated(page);
  await menu.press('Enter');
  await page.getByRole('button', { name: 'Delete this conversation' }).press('Enter');
  await expect(page.getByRole('dialog', { name: /^Delete/ })).toContainText('removed for good');
  await page.getByRole('button', { name: 'Keep it' }).press('Enter');
  await expect(page).toHaveURL(address);
  await menu.press('Enter');
  await page.getByRole('button', { name: 'Delete this conversation' }).press('Enter');
  await page.getByRole('button', { name: 'Delete', exact: true }).press('Enter');
  await expect(page).toHaveURL(/\/chat$/);
  await expect(list.getByRole('link', { name: 'A better <b>name</b>' })).toHaveCount(0);
  expect((await page.request.get(address)).status()).toBe(404);
});
