#!/usr/bin/env node
import { launch } from './launch.mjs';

await launch('../src/oc/create-route.ts');
