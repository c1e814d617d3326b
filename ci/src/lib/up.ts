/**
 * Marks a function whose service `dagger up` starts, since Dagger 0.20.4. Dagger finds the mark by its name in the source. The SDK itself
 * exports one only since 1.0; older SDKs ignore this one.
 */
export function up(): MethodDecorator {
  return () => {}
}
