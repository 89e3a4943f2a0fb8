// The entry point of the build: the plugin, wrapped for Hookmill.

import { component } from "../../sdk/javascript/component.js";
import * as plugin from "./plugin.js";

export const transformer = component(plugin);
