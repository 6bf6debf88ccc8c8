// The API's descriptor set by file: where each one lies in the set and which types it has, found by one pass over the bytes that builds nothing. A file becomes descriptors
// when a type of it (or of a file that imports it) is asked for: a usual configuration touches a third of the 542 files, and all of them cost 0.2 s and 10 MB.
import { createFileRegistry, fromBinary, type DescFile } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, type FileDescriptorProto } from '@bufbuild/protobuf/wkt';

interface Known { readonly bytes: Uint8Array; loaded: DescFile | null; /** As a dependency: without its own dependencies, but for those that it passes on. */ view: DescFile | null }

/** Numbers of fields of descriptor.proto. */
const SET_FILE = 1, FILE = { name: 1, package: 2, message: 4, enumeration: 5, extension: 7 } as const, NAME = 1, NESTED = 3, OPTIONS = 7;
/** MessageOptions.map_entry as a tag: the message is a map's, not one of the API. */
const MAP_ENTRY = 0x38;

/** The length-delimited fields of a message, in place. */
function* fieldsOf(bytes: Uint8Array): Generator<readonly [field: number, body: Uint8Array]> {
  let at = 0;
  const varint = (): number => { let n = 0, shift = 1; for (;;) { const b = bytes[at++]!; n += (b & 0x7f) * shift; if (b < 0x80) return n; shift *= 128; } };
  while (at < bytes.length) {
    const tag = varint();
    switch (tag & 7) {
      case 0: varint(); break;
      case 1: at += 8; break;
      case 2: { const length = varint(); yield [tag >>> 3, bytes.subarray(at, at + length)]; at += length; break; }
      default: at += 4;
    }
  }
}
const text = new TextDecoder();

export class ApiFiles {
  private readonly files = new Map<string, Known>();
  /** The file of each message, enum and extension. */
  private readonly fileOf = new Map<string, string>();
  /** Full names of all messages. */
  readonly messages: string[] = [];

  /** `set`: a FileDescriptorSet, files after those that they import. Kept. */
  constructor(set: Uint8Array) { for (const [field, body] of fieldsOf(set)) if (field === SET_FILE) this.index(body); }

  /** The file that declares a type, with its descriptors. */
  declaring(typeName: string): DescFile | undefined { const name = this.fileOf.get(typeName); return name === undefined ? undefined : this.load(name); }
  /** All files. */
  *all(): Generator<DescFile> { for (const name of this.files.keys()) yield this.load(name); }

  private index(file: Uint8Array): void {
    let name = '', scope = '';
    for (const [field, body] of fieldsOf(file)) {
      if (field === FILE.name) name = text.decode(body); else if (field === FILE.package) scope = text.decode(body);
      else if (field === FILE.message) this.indexMessage(body, scope, name);
      else if (field === FILE.enumeration || field === FILE.extension) this.fileOf.set(`${scope}.${nameOf(body)}`, name);
    }
    this.files.set(name, { bytes: file, loaded: null, view: null });
  }
  private indexMessage(message: Uint8Array, scope: string, file: string): void {
    const full = `${scope}.${nameOf(message)}`, nested: Uint8Array[] = [];
    for (const [field, body] of fieldsOf(message)) {
      if (field === OPTIONS && body.length === 2 && body[0] === MAP_ENTRY) return;
      if (field === NESTED) nested.push(body);
    }
    this.fileOf.set(full, file);
    this.messages.push(full);
    for (const n of nested) this.indexMessage(n, full, file);
  }

  private load(name: string): DescFile {
    const known = this.files.get(name)!;
    if (known.loaded !== null) return known.loaded;
    const proto = fromBinary(FileDescriptorProtoSchema, known.bytes);
    for (const d of proto.dependency) this.load(d);
    const loaded = createFileRegistry(proto, (d) => this.files.get(d)!.view!).getFile(name)!;
    known.loaded = loaded;
    // What depends on it sees its types alone: descriptors of all that lies below would be gone through once for each path that leads there.
    known.view = Object.create(loaded, { dependencies: { value: this.passedOn(proto) } }) as DescFile;
    return loaded;
  }
  private passedOn(proto: FileDescriptorProto): DescFile[] { return proto.publicDependency.map((i) => this.files.get(proto.dependency[i]!)!.view!); }
}

function nameOf(descriptor: Uint8Array): string { for (const [field, body] of fieldsOf(descriptor)) if (field === NAME) return text.decode(body); return ''; }
