// Nothing to set: it keeps vitest from looking further up for the settings of another project.
export default {};
