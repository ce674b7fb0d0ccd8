// The run belongs to the server: leaving, joining and coming back lose nothing and repeat nothing.
import { answers, composer, expect, finished, grownTo, hydrated, lastAnswer, open, quietLine, send, SLOW_WORDS, test, watch, words } from '../support/world';

test('a reload in the middle continues without loss or repetition', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'Reload me', 'slow');
  const before = await grownTo(page, 100);
  await page.reload();
  // Server-rendered: what was said stands there before any script runs.
  expect((await words(page).innerText()).startsWith(before.slice(0, 80))).toBe(true);
  await hydrated(page);
  await finished(page);
  const whole = await words(page).innerText();
  expect(whole.startsWith(before.slice(0, 80))).toBe(true);
  expect(whole.split(/\s+/).length).toBeGreaterThanOrEqual(SLOW_WORDS * 0.9);
  // What the browser put together from events is what the database has.
  await page.reload();
  expect(await words(page).innerText()).toBe(whole);
});

test('reloading again and again changes nothing', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'Reload me often', 'slow');
  for (let at = 20; at <= 140; at += 40) {
    await grownTo(page, at);
    await page.reload();
    await hydrated(page);
  }
  await finished(page);
  const whole = await words(page).innerText();
  await page.reload();
  expect(await words(page).innerText()).toBe(whole);
});

test('a second tab joins the answer and shows the same', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'Two of us', 'slow');
  await grownTo(page, 60);
  const second = await page.context().newPage();
  await open(second, page.url());
  await grownTo(second, 90);
  await finished(page);
  await finished(second);
  expect(await words(second).innerText()).toBe(await words(page).innerText());
  expect(await quietLine(second).innerText()).toBe(await quietLine(page).innerText());
});

test('a connection that breaks is taken up again where it was', async ({ chat: page, complaints }) => {
  complaints.expected.push(/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED|status of 0/);
  await open(page, '/chat');
  await send(page, 'Tunnel ahead', 'slow');
  await grownTo(page, 60);
  await page.context().setOffline(true);
  await expect(page.getByText('You are offline', { exact: false })).toBeVisible();
  await page.waitForTimeout(800);
  await page.context().setOffline(false);
  await finished(page);
  const whole = await words(page).innerText();
  await page.reload();
  expect(await words(page).innerText()).toBe(whole);
});

test('back and forward walk through conversations', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'Conversation one', 'quick');
  await finished(page);
  const first = page.url();
  await page.getByRole('link', { name: 'New chat', exact: true }).click();
  await expect(page).toHaveURL(/\/chat$/);
  await expect(answers(page)).toHaveCount(0);
  await send(page, 'Conversation two', 'quick');
  await finished(page);
  const second = page.url();
  expect(second).not.toBe(first);

  await page.goBack();
  await expect(page).toHaveURL(/\/chat$/);
  await expect(composer(page)).toBeVisible();
  await page.goBack();
  await expect(page).toHaveURL(first);
  await expect(page.getByRole('article', { name: 'You' })).toContainText('Conversation one');
  await page.goForward();
  await page.goForward();
  await expect(page).toHaveURL(second);
  await expect(page.getByRole('article', { name: 'You' })).toContainText('Conversation two');
});

test('leaving for another conversation leaves the answer running', async ({ chat: page }) => {
  await open(page, '/chat');
  await send(page, 'Go on without me', 'slow');
  await grownTo(page, 40);
  const here = page.url();
  await page.getByRole('link', { name: 'Settings' }).click();
  await expect(page.getByRole('heading', { name: 'Settings' })).toBeVisible();
  await page.goBack();
  await expect(page).toHaveURL(here);
  await finished(page);
  const whole = await words(page).innerText();
  await page.reload();
  expect(await words(page).innerText()).toBe(whole);
});

test('a restart of the server ends an answer plainly and loses nothing said', async ({ world, browser, complaints }) => {
  complaints.expected.push(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|status of 5\d\d/);
  const context = await world.member(browser);
  const page = await context.newPage();
  watch(page, complaints, world.seam.url);
  await open(page, '/chat');
  await send(page, 'Sleep well', 'slow');
  const said = await grownTo(page, 60);
  const here = new URL(page.url()).pathname;
  // SIGTERM lets the answer finish: it takes four seconds, the limit is twenty.
  expect(await world.seam.stop()).toBe(0);
  await world.seam.start();
  await page.goto(here);
  await expect(answers(page)).toHaveCount(1);
  expect((await words(page).innerText()).startsWith(said.slice(0, 40))).toBe(true);
  await expect(quietLine(page)).toBeVisible();
  await context.close();
});

test('a server that is killed in the middle comes back with what was said, and the open page learns of it by itself', async ({ world, browser, complaints }) => {
  complaints.expected.push(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|status of 5\d\d/);
  const context = await world.member(browser);
  const page = await context.newPage();
  watch(page, complaints, world.seam.url);
  await open(page, '/chat');
  await send(page, 'Pull the plug', 'slow');
  const said = await grownTo(page, 60);
  await world.seam.stop('SIGKILL');
  await world.seam.start();
  await expect(lastAnswer(page).getByRole('alert')).toBeVisible({ timeout: 20_000 });
  expect((await words(page).innerText()).startsWith(said.slice(0, 40))).toBe(true);
  await page.reload();
  await expect(lastAnswer(page).getByRole('alert')).toBeVisible();
  expect((await words(page).innerText()).startsWith(said.slice(0, 40))).toBe(true);
  await send(page, 'And on we go', 'quick');
  await finished(page);
  await context.close();
});

test('what stands above the last block stays selected while an answer grows', async ({ chat: page, world }) => {
  const paragraphs = Array.from({ length: 60 }, (_, at) => `Paragraph ${at} says a few words.`);
  world.scripted.text = paragraphs.join('\n\n');
  world.scripted.pause = 20;
  await open(page, '/chat');
  await send(page, 'Many paragraphs', 'scripted');
  await grownTo(page, 120);
  const selected = await page.evaluate(() => {
    const first = document.querySelector('.message-answer .prose p')!;
    getSelection()!.selectAllChildren(first);
    return getSelection()!.toString();
  });
  await finished(page);
  world.scripted.pause = 0;
  expect(await page.evaluate(() => getSelection()!.toString())).toBe(selected);
  expect(await words(page).locator('p').count()).toBe(60);
});
