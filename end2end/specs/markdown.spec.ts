// What a model says is shown, never obeyed.
import { expect, finished, lastAnswer, open, send, test, words } from '../support/world';

const HOSTILE = `# A heading

Some **bold** text, \`code\`, and a [link](https://example.com/page).

![a tracking pixel](https://tracker.example.com/pixel.png?who=ada)

<img src="https://tracker.example.com/raw.png" onerror="window.stolen = 1">
<script>window.stolen = 2</script>

[click me](javascript:window.stolen=3)

| a | b |
|---|---|
| 1 | 2 |

\`\`\`rust
fn main() { println!("<b>seam</b>"); }
\`\`\`
`;

test('Markdown is shown, and nothing in it loads or runs by itself', async ({ chat: page, world }) => {
  world.scripted.text = HOSTILE;
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await open(page, '/chat');
  await send(page, 'Show me', 'scripted');
  await finished(page);

  const check = async () => {
    const answer = words(page);
    await expect(answer.getByRole('heading', { name: 'A heading' })).toBeVisible();
    await expect(answer.locator('strong')).toHaveText('bold');
    await expect(answer.locator('pre code')).toContainText('println!("<b>seam</b>")');
    await expect(answer.locator('img, script, iframe')).toHaveCount(0);
    const link = answer.getByRole('link', { name: 'link', exact: true });
    await expect(link).toHaveAttribute('href', 'https://example.com/page');
    await expect(link).toHaveAttribute('rel', /noopener/);
    for (const one of await answer.locator('a').all()) expect(await one.getAttribute('href')).not.toMatch(/^\s*javascript/i);
    expect(await page.evaluate(() => (window as any).stolen)).toBeUndefined();
  };
  await check();
  await page.reload();
  await check();
  expect(asked.filter((url) => url.includes('tracker.example.com'))).toEqual([]);
  await expect(lastAnswer(page)).toContainText('a tracking pixel');
});

test('a table has its body, and wide content scrolls inside itself', async ({ chat: page, world }) => {
  world.scripted.text = `| ${'wide column | '.repeat(30)}\n|${'---|'.repeat(30)}\n| ${'value | '.repeat(30)}\n\n\`\`\`\n${'x'.repeat(400)}\n\`\`\`\n`;
  await page.setViewportSize({ width: 360, height: 740 });
  await open(page, '/chat');
  await send(page, 'Wide', 'scripted');
  await finished(page);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(over).toBeLessThanOrEqual(0);
});
