/**
 * Marks a function whose service `dagger up` starts, from Dagger 0.20.4 on. Dagger's SDK finds the mark by its name in the source, and
 * gives modules one to import from 1.0 on only; an older SDK passes over it.
 */
export function up(): MethodDecorator {
  return () => {}
}
