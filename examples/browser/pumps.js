// The page: one line for each pump that says what it does (pump/N/state, retained), with a button that asks it for the
// opposite (pump/N/set). The state changes when the pump says so, not when the button is pressed.
const broker = new URLSearchParams(location.search).get('broker') ?? `ws://${location.hostname}:9001/mqtt`;
const client = mqtt.connect(broker, { protocolVersion: 5, reconnectPeriod: 200 });
const connection = document.querySelector('#connection');
const pumps = new Map();

client.on('connect', () => (connection.textContent = 'connected'));
client.on('close', () => (connection.textContent = 'not connected'));
client.subscribe('pump/+/state', { qos: 1 });
client.on('message', (topic, payload) => show(topic.split('/')[1], payload.toString()));

function show(pump, state) {
  if (!pumps.has(pump)) pumps.set(pump, add(pump));
  pumps.get(pump)(state);
}

function add(pump) {
  const line = document.createElement('li');
  const text = document.createElement('span');
  const button = document.createElement('button');
  let state = '';
  line.id = `pump-${pump}`;
  button.addEventListener('click', () => {
    client.publish(`pump/${pump}/set`, state === 'on' ? 'off' : 'on', { qos: 1 });
  });
  line.append(text, button);
  document.querySelector('#pumps').append(line);
  return (now) => {
    state = now;
    text.textContent = `pump ${pump}: ${state}`;
    button.textContent = state === 'on' ? 'stop' : 'start';
  };
}
