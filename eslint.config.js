import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['test/parity/cases/**', 'test/parity/lib/**', '**/*.mjs', 'node_modules/**', 'dist/**'] },
  {
    files: ['**/*.ts'],
    languageOptions: { parser: tseslint.parser },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-unused-vars': ['error', { args: 'none', varsIgnorePattern: '^_' }],
      'no-var': 'error', 'prefer-const': 'error', eqeqeq: 'error', 'no-eval': 'error', 'no-fallthrough': 'error', 'no-unreachable': 'error',
      'no-self-compare': 'error', 'no-dupe-keys': 'error', 'no-duplicate-case': 'error', 'no-constant-condition': ['error', { checkLoops: false }],
    },
  },
);
