// In a file that runs after all others: it closes the door for this machine's address.
import { expect, open, test } from '../support/world';

test('guessing passwords is slowed down, and the page says for how long', async ({ world, browser }) => {
  const context = await world.visitor(browser);
  const page = await context.newPage();
  await open(page, '/login');
  const note = page.getByRole('alert');
  for (let attempt = 0; attempt < 40; attempt++) {
    await page.getByLabel('E-mail').fill(`nobody@acme.test`);
    await page.getByLabel('Password').fill(`guess number ${attempt}`);
    const done = page.waitForResponse((response) => response.url().includes('/api/ui/sign-in'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    const response = await done;
    await expect(note).toBeVisible();
    if (response.status() === 429) {
      await expect(note).toContainText(/\d+\s*(s|second|minute)/);
      await context.close();
      return;
    }
  }
  throw new Error('forty wrong passwords in a row were never slowed down');
});
