// Keeps what the workshop knows of customers, vehicles and jobs up to date, from the events of all.
import { consume } from './shared/events.ts';
import { Log } from './shared/log.ts';
import { endOnSignals } from './shared/worker.ts';
import { ReadModel } from './workshop/read-model.ts';

const log = new Log('WorkshopManagementEventHandler');
endOnSignals();
const readModel = await ReadModel.open(log);
await consume('WorkshopManagement', log, async (event) => {
  await readModel.apply(event);
  log.information('Handled {MessageType} {MessageId}', { MessageType: event.messageType, MessageId: event.messageId });
});
