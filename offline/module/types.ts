/** What kind of value a type holds; the names are the Dagger API's, without "_KIND". */
export type Kind =
  | "STRING"
  | "INTEGER"
  | "FLOAT"
  | "BOOLEAN"
  | "VOID"
  | "SCALAR"
  | "ENUM"
  | "OBJECT"
  | "INTERFACE"
  | "INPUT"
  | "LIST"

/** The type of an argument, a field or a result. */
export interface TypeRef {
  kind: Kind
  optional?: boolean
  /** Of a scalar, an enum, an object, an interface or an input. */
  name?: string
  /** Of a list. */
  element?: TypeRef
}

/** One argument of a function, as the module's code declares it. */
export interface ArgumentDef {
  name: string
  type: TypeRef
  description?: string
  /** JSON. */
  defaultValue?: string
  /** Of a Directory or File: where it is in the module's repository when nothing is given. */
  defaultPath?: string
  /** Of a Container: the image when nothing is given. */
  defaultAddress?: string
  /** Patterns of what is left out of a Directory. */
  ignore?: string[]
}

/** A function of an object; the constructor's name is "". */
export interface FunctionDef {
  name: string
  description?: string
  returns: TypeRef
  args: ArgumentDef[]
  /** True if `dagger check` runs it. */
  isCheck?: boolean
}

/** A field of an object, readable like a function without arguments. */
export interface FieldDef {
  name: string
  description?: string
  type: TypeRef
}

/** An object of a module (or of the core API) with what can be asked of it. */
export interface ObjectDef {
  name: string
  description?: string
  fields: FieldDef[]
  functions: FunctionDef[]
  /** Absent if the class has no constructor of its own. */
  create?: FunctionDef
}

/** An enumeration; values are given by their members' names. */
export interface EnumDef {
  name: string
  description?: string
  members: { name: string; value?: string; description?: string }[]
}

/** All that a module exposes. */
export interface ModuleDef {
  description?: string
  objects: ObjectDef[]
  enums: EnumDef[]
}
