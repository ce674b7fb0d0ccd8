// Without JavaScript: the same pages, plain forms.
import { ADA, BOB, answers, composer, expect, lastAnswer, quietLine, test, words } from '../support/world';

test('a member signs in, sends a message and reads the answer', async ({ world, browser }) => {
  const context = await world.visitor(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto('/chat');
  await expect(page).toHaveURL(/\/login/);
  await page.getByLabel('E-mail').fill(BOB.email);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.getByLabel('E-mail')).toHaveValue(BOB.email);
  expect(page.url()).not.toContain('not%20the');
  await page.getByLabel('Password').fill(BOB.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(/\/chat$/);

  await composer(page).fill('The capital of France is');
  await page.getByRole('combobox', { name: 'Model' }).selectOption('assistant');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(page).toHaveURL(/\/chat\/[0-9a-f-]{36}/);
  await expect(words(page)).toContainText('Paris');
  await expect(quietLine(page)).toContainText('chat@1');

  await composer(page).fill('And of Italy?');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(answers(page)).toHaveCount(2);
  await expect(lastAnswer(page)).toBeVisible();

  await page.goto('/settings');
  await expect(page.getByRole('heading', { name: 'Settings' })).toBeVisible();
  await context.close();
});

test('a page is whole before any script runs', async ({ world, browser }) => {
  const context = await world.member(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  const response = await page.goto('/chat');
  expect(response?.headers()['cache-control']).toMatch(/no-store/);
  await expect(page.getByRole('heading', { name: 'What would you like to know?' })).toBeVisible();
  await expect(composer(page)).toBeVisible();
  expect(await response!.text()).not.toContain(ADA.password);
  await context.close();
});

test('an unknown address says so, with the right status', async ({ world, browser }) => {
  const context = await world.member(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  for (const path of ['/nowhere', '/chat/018f0000-0000-7000-8000-000000000000', '/chat/not-an-id']) {
    const response = await page.goto(path);
    expect(response?.status(), path).toBe(404);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  }
  await context.close();
});
