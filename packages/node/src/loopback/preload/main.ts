// Loaded before a container's program, by NODE_OPTIONS.
import type { Membership } from './fabric.ts';
import { joinFabric, MEMBERSHIP_VARIABLE } from './join.ts';

const told = process.env[MEMBERSHIP_VARIABLE];
if (told !== undefined) joinFabric(JSON.parse(told) as Membership);
