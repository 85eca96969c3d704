// The page in headless Chromium against a broker of ours, which is killed once: npm test, with MARTLET=path of the tool.
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const martlet = process.env.MARTLET ?? 'martlet';
const children = [];
const folder = mkdtempSync(join(tmpdir(), 'pumps-'));

// Starts a program and brings its first line.
async function start(program, ...args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, line };
}

// The pages of `site` may connect by WebSocket, tools by TCP. Its state is on disk, so a kill costs nothing.
async function startBroker(site, tcp = 0, ws = 0) {
  const { child, line } = await start(
    martlet, 'broker', '--json-ready', '--listen', `mqtt://127.0.0.1:${tcp}`, '--listen', `ws://127.0.0.1:${ws}`,
    '--allow-origin', new URL(site).origin, '--store', join(folder, 'broker.db'));
  const [plain, web] = JSON.parse(line).listeners.map((url) => Number(new URL(url).port));
  return { child, tcp: plain, ws: web };
}

async function run() {
  const site = (await start(process.execPath, new URL('serve.mjs', import.meta.url).pathname, '0')).line;
  let broker = await startBroker(site);
  const publish = (topic, text) =>
    execFileSync(martlet, ['pub', '-p', broker.tcp, '-t', topic, '-m', text, '-q', '1', '-r']);
  publish('pump/7/state', 'off');

  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  children.push({ kill: () => browser.close() });
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(`page: ${error}`));
  await page.goto(`${site}?broker=ws://127.0.0.1:${broker.ws}/mqtt`);

  const shows = (text) => page.getByText(text, { exact: true }).waitFor();
  await shows('connected');
  await shows('pump 7: off');

  const commands = spawn(martlet, ['sub', '-p', broker.tcp, '-t', 'pump/7/set', '-t', 'pump/7/state', '-F', '%t %p', '-C', '2']);
  children.push(commands);
  const lines = createInterface({ input: commands.stdout })[Symbol.asyncIterator]();
  await lines.next();  // the retained state: it is subscribed
  await page.getByRole('button', { name: 'start' }).click();
  const command = (await lines.next()).value;
  if (command !== 'pump/7/set on') throw new Error(`the button published '${command}'`);
  publish('pump/7/state', 'on');  // the pump obeys
  await shows('pump 7: on');

  broker.child.kill('SIGKILL');
  await shows('not connected');
  broker = await startBroker(site, broker.tcp, broker.ws);
  publish('pump/8/state', 'on');
  await shows('connected');
  await shows('pump 8: on');
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });

  // A page of another site is refused.
  const other = (await start(process.execPath, new URL('serve.mjs', import.meta.url).pathname, '0')).line;
  const stranger = await browser.newPage();
  await stranger.goto(`${other}?broker=ws://127.0.0.1:${broker.ws}/mqtt`);
  await stranger.waitForEvent('console', (message) => message.text().includes('403') || message.text().includes('failed'));
  if (await stranger.getByText('pump 7: on').count()) throw new Error('a page of another site was let in');
  await browser.close();
}

try {
  await run();
  console.log('passed');
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  for (const child of children) await child.kill();
  rmSync(folder, { recursive: true });
}
