// Who is signed in, and for how long.
import { BOB, expect, finished, open, send, signIn, test } from '../support/world';

test('signing out everywhere ends the other browser too', async ({ world, browser }) => {
  const one = await world.visitor(browser);
  const other = await world.visitor(browser);
  const [here, there] = [await one.newPage(), await other.newPage()];
  await signIn(here, BOB);
  await signIn(there, BOB);
  await open(here, '/settings');
  await here.getByRole('button', { name: 'Sign out everywhere' }).click();
  await expect(here).toHaveURL(/\/login/);
  await expect(here.getByText('signed out on every device')).toBeVisible();
  await there.goto('/chat');
  await expect(there).toHaveURL(/\/login/);
  await one.close();
  await other.close();
});

test('signing out ends this browser only', async ({ world, browser }) => {
  const one = await world.visitor(browser);
  const other = await world.visitor(browser);
  const [here, there] = [await one.newPage(), await other.newPage()];
  await signIn(here, BOB);
  await signIn(there, BOB);
  await here.getByRole('button', { name: 'Account' }).click();
  await here.getByRole('button', { name: 'Sign out' }).click();
  await expect(here).toHaveURL(/\/login/);
  await there.goto('/chat');
  await expect(there).toHaveURL(/\/chat$/);
  await one.close();
  await other.close();
});

test('after signing in a visitor is where they wanted to be', async ({ visit: page }) => {
  await open(page, '/settings');
  await expect(page).toHaveURL(/\/login/);
  await page.getByLabel('E-mail').fill(BOB.email);
  await page.getByLabel('Password').fill(BOB.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(/\/settings$/);
});

test('a member sees neither the conversations nor the runs of another', async ({ chat, world, browser }) => {
  await open(chat, '/chat');
  await send(chat, 'For my eyes', 'quick');
  await finished(chat);
  const path = new URL(chat.url()).pathname;
  const context = await world.visitor(browser);
  const page = await context.newPage();
  await signIn(page, BOB);
  const response = await page.goto(path);
  expect(response?.status()).toBe(404);
  await expect(page.getByText('For my eyes')).toHaveCount(0);
  await context.close();
});

test('the session cookie cannot be read by scripts', async ({ chat: page }) => {
  await open(page, '/chat');
  const cookies = await page.context().cookies();
  const session = cookies.find((cookie) => cookie.name.includes('seam'));
  expect(session).toMatchObject({ httpOnly: true, sameSite: 'Lax' });
  expect(await page.evaluate(() => document.cookie)).not.toContain(session!.value);
});
