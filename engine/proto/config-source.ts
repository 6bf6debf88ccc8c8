// Where configuration comes from: a text (YAML, JSON, text protobuf) or bytes (binary protobuf). Which reader reads a file is told by its name, as in Envoy.
import { BinarySource } from './binary-source.ts';
import type { Place } from './config-message.ts';
import { messageType } from './registry.ts';
import { SourceText } from './source-text.ts';
import { TextProtoSource } from './text-proto-source.ts';

export interface ConfigSource {
  readonly file: string;
  /** The whole as plain data, in proto JSON's form. Throws SyntaxFault. */
  data(): unknown;
  /** What a text says in the words of YAML 1.1 for booleans. */
  oddBooleans?(): readonly { readonly keys: readonly (string | number)[]; readonly text: string }[];
  /** Where the value at `keys` stands, as far as it is found: `found` counts the keys that were. Line 0 where there are no lines. */
  place(keys: readonly (string | number)[], path: string): Place & { readonly found: number };
}

/** A source for a file's bytes: .pb is binary, .pb_text text protobuf, anything else YAML (JSON is read as such). `type` is the message that a protobuf file holds. */
export function sourceOf(file: string, bytes: Uint8Array, type: string): ConfigSource {
  const name = file.toLowerCase();
  if (name.endsWith('.pb')) return new BinarySource(file, bytes, messageType(type)!);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return name.endsWith('.pb_text') ? new TextProtoSource(file, text, messageType(type)!) : new SourceText(file, text);
}
