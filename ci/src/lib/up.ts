/**
 * Marks a function whose service `dagger up` starts, from Dagger 0.20.4 on. Dagger finds the mark by its name in the source; what modules
 * can import has one from 1.0 on only, and an older SDK passes over it.
 */
export function up(): MethodDecorator {
  return () => {}
}
