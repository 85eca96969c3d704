// Serves the page on the loopback: node serve.mjs [port], 0 for any. Prints its address.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const here = new URL('.', import.meta.url);
const files = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/pumps.js': ['pumps.js', 'text/javascript'],
  '/mqtt.min.js': ['node_modules/mqtt/dist/mqtt.min.js', 'text/javascript'],
};

const server = createServer(async (request, response) => {
  const [file, type] = files[new URL(request.url, 'http://localhost').pathname] ?? [];
  if (!file) return response.writeHead(404).end();
  response.writeHead(200, { 'Content-Type': type }).end(await readFile(new URL(file, here)));
});
server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
